"""Go's text/template as docker's `--format` uses it, over JSON documents and rows of tables.

    Template("{{.Names}}: {{json .Mounts}}", functions).execute(row)

Source: the text/template documentation. Not there: define, template, block, call, and methods on values.
"""

from dockwright.grammar.template.evaluate import Fields, Template
from dockwright.grammar.template.lexer import TemplateError

__all__ = ["Fields", "Template", "TemplateError"]
