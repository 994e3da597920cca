"""ECS: clusters, task definitions, tasks and services.

api/         the operations: check → one transaction → view
model/       what is stored
plan/        what is to be done, decided in values
controller/  does it: `task` looks after one task, `service` after one service, `definition` after deleted revisions
views/       records → the model's shapes
"""
