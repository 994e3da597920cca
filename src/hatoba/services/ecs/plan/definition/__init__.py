"""Registering a task definition: is it valid, what is it compatible with, what does it require of an instance.

sizes       CPU and memory as users write them; Fargate's published table
check       rules of the whole definition
containers  rules of each container
configuration  … of its environment, secrets, environment files and registry login
network     … of what its network mode allows: ports, links, names
linux       … of what it gets from the kernel
logs        … of its log driver, and of the container that routes the others' logs
volumes     rules of volumes
fargate     what Fargate asks for and what it refuses
requires    the attributes that an instance must have
"""
