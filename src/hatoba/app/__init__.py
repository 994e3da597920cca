"""The composition roots: the only place where rooms and engines are wired together.

settings   every setting: command line, environment, DIR/hatoba.toml
places     where an instance keeps its files
rooms      the list of rooms: tables, operations, controllers
control    the control plane's process
node       the node agent's process
up         starts both and keeps them going; down ends everything
"""
