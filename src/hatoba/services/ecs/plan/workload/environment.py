"""What a container is given beside its definition: values of secrets, in its environment or as files, variables of
environment files, and a registry's login.

All of it is secret to us, environment files too: they come from a store that the task's owner guards. The definition's
own environment goes before a file's variables; a secret's name is in neither, or the definition was refused.
"""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerWanted, FilesWanted
from hatoba.services.ecs.plan.secrets import Injected


def inject(container: ContainerWanted, injected: Injected) -> ContainerWanted:
    name = container.name
    variables = injected.variables.get(name, {})
    own = {variable: value for variable, value in variables.items() if variable not in container.environment}
    if secrets := {**own, **injected.secrets.get(name, {})}:
        container = replace(container, secrets=secrets)
    if files := injected.placed.get(name):
        container = replace(container, files=FilesWanted(contents=files))
    if container.log is not None and not container.log.router and name in injected.log_options:
        container = replace(container, log=replace(container.log, secrets=injected.log_options[name]))
    if (login := injected.logins.get(name)) is not None and container.image.host:
        image = replace(container.image, username=login.username, password=login.password)
        container = replace(container, image=image)
    return container
