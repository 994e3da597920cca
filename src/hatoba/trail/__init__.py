"""The trail: what was done, by whom and when, in the order of time; kept on disk, bounded in age and size.

port        entries, questions, and what a trail can do
disk        one SQLite file
simulated   the same in memory
"""
