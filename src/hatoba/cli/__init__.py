"""The command line: what an operator and a developer type. Clients of the public API and of `app.up`, nothing more.

main      the commands and their options
instance  up, down, status, env, node: the platform itself
daily     ps, logs, open: what a person does all day, on top of the public API
enter     exec: a program in a task's container
story     everything that happened to a task
simulate  what if, on a fleet that does not exist
doctor    what is missing on this machine, and how to mend it
"""
