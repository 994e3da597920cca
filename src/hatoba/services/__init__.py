"""The rooms: one folder per AWS service. Independent of each other; they meet at the front door only."""
