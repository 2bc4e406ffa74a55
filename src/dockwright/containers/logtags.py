"""What log lines carry beside their text: chosen labels and variables, and the tag."""

import os
import re

from dockwright.base.ids import short
from dockwright.containers.container import Container
from dockwright.grammar.template import Fields, Template, TemplateError

DEFAULT_TAG = "{{.ID}}"  # of drivers that cannot do without one


class _Info(Fields):
    """What a tag's template may ask for."""

    type_name = "*logger.Info"


def chosen(container: Container, options: dict[str, str]) -> dict[str, str]:
    """The labels and variables that `labels`, `labels-regex`, `env` and `env-regex` name.

    Raises:
        ValueError: a pattern that cannot be.
    """
    labels = container.config["Labels"] or {}
    variables = dict(variable.partition("=")[::2] for variable in container.config["Env"] or () if "=" in variable)
    return {
        **_matching(labels, options.get("labels", ""), options.get("labels-regex", "")),
        **_matching(variables, options.get("env", ""), options.get("env-regex", "")),
    }


def _matching(values: dict[str, str], names: str, pattern: str) -> dict[str, str]:
    wanted = {name for name in names.split(",") if name in values} if names else set()
    if pattern:
        try:
            matches = re.compile(pattern).search
            wanted |= {name for name in values if matches(name)}
        except re.error as error:
            text = "missing closing )" if "unterminated subpattern" in error.msg else error.msg
            raise ValueError(f"error parsing regexp: {text}: `{pattern}`") from None
    return {name: values[name] for name in wanted}


def tag(container: Container, template: str) -> str:
    """The text of a tag's template; "" of none.

    Raises:
        ValueError: it cannot be read, or asks for what there is not, in Docker's words.
    """
    if not template:
        return ""
    options = (container.host.LogConfig.Config if container.host.LogConfig else None) or {}
    program, *arguments = container.command or [""]
    fields = _Info({
        "ID": short(container.id), "FullID": container.id, "Name": container.name, "ImageName": container.config["Image"],
        "ImageID": container.image[:12], "ImageFullID": container.image, "DaemonName": "docker", "Config": options,
        "Command": " ".join([program, *arguments]), "Hostname": os.uname().nodename, "ContainerID": container.id,
        "ContainerName": f"/{container.name}", "ContainerEntrypoint": program, "ContainerArgs": arguments,
        "ContainerImageID": container.image, "ContainerImageName": container.config["Image"],
        "ContainerCreated": container.created, "ContainerEnv": container.config["Env"] or [],
        "ContainerLabels": container.config["Labels"] or {},
    })  # fmt: skip
    try:
        return Template(template, name="log-tag").execute(fields)
    except TemplateError as error:
        raise ValueError(str(error)) from None
