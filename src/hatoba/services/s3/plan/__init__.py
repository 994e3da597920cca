"""What is decided without looking at anything but values."""
