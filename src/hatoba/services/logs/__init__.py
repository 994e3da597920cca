"""The `logs` room: log groups and streams, written by clients and by the nodes' containers, read and searched.

See README.md for what is there and how it lies upon the `streams` engine.
"""
