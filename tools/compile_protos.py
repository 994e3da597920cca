"""Compile containerd's API stubs from the .proto files that Debian ships."""
