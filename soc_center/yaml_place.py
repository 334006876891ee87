"""Where in a YAML file a field stands, so that a complaint can name the line."""

import yaml


def line_of(text: str, field: str) -> int:
    """The line, from 1, of a field such as ``$.sources[2].layer`` or of its nearest parent that is there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in field.replace("[", ".[").removeprefix("$").split("."):
        if not part:
            continue
        child = _child(node, part)
        if child is None:
            break
        node, line = child
    return line


def _child(node: yaml.Node | None, part: str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and part.startswith("["):
        index = part.strip("[]")
        if index.isdigit() and int(index) < len(node.value):
            item = node.value[int(index)]
            return item, item.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    return None
