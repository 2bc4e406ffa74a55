"""Go's text/template. Expectations were taken from docker inspect --format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockwright.grammar.template import Fields, Template, TemplateError
from dockwright.grammar.template.lexer import pieces

DATA = {
    "A": 1, "F": 0.5, "B": ["x", "y"], "C": {"k": "v", "d": None}, "S": {"Running": True, "Name": "n"}, "E": [], "N": None,
    "P": {"80/tcp": [{"HostPort": "8080"}], "7/udp": None},
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.A}} {{.F}} {{.B}} {{.C}} {{.N}}", "1 0.5 [x y] map[d:<nil> k:v] <no value>"),
        ("{{range $i, $e := .B}}{{if $i}},{{end}}{{$e}}{{end}}", "x,y"),
        ("{{range .E}}x{{else}}none{{end}}", "none"),
        ("{{range $k, $v := .C}}{{$k}}={{$v}};{{end}}", "d=<no value>;k=v;"),
        ("{{range .B}}{{if eq . \"y\"}}{{break}}{{end}}{{.}}{{end}}", "x"),
        ("{{range .B}}{{if eq . \"x\"}}{{continue}}{{end}}{{.}}{{end}}", "y"),
        ("{{with .S}}{{.Running}}{{else}}no{{end}}", "true"),
        ("{{with $x := .S.Name}}{{$x}}{{$.A}}{{end}}", "n1"),
        ("{{if and .A (eq .A 1)}}yes{{else if .E}}maybe{{else}}no{{end}}", "yes"),
        ("{{if or .E .N}}yes{{else if .A}}maybe{{else}}no{{end}}", "maybe"),
        ("{{not .A}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 3}}", "false true true true false false"),
        ('{{index .B 1}} {{index .C "k"}} {{index .C "zz"}} {{(index .P "80/tcp" 0).HostPort}}', "y v <no value> 8080"),
        ('{{printf "%-4s|%3d|%q|%v|%t|%5.1f|%x" "a" .A "q" .B true .F 255}}', 'a   |  1|"q"|[x y]|true|  0.5|ff'),
        ('{{.B | json}} {{json .C}} {{json "<é>"}}', '["x","y"] {"k":"v","d":null} "<é>"'),
        ('{{join .B ", "}} {{split "a,b" ","}} {{upper "a"}} {{lower "A"}}', "x, y [a b] A a"),
        ('{{title "ab cd"}} {{truncate "abcdef" 3}} {{pad "x" 1 2}}|', "Ab Cd abc  x  |"),
        ("{{len .B}} {{len \"é\"}} {{slice \"abcd\" 1 3}}", "2 2 bc"),
        ("a  {{- /* c */ -}}  b {{- .A -}} c", "ab1c"),
        ("{{println .A .B}}{{print 1 2 \"x\" \"y\" 3}}", "1 [x y]\n1 2xy3"),
        ("{{$x := .A}}{{$x = 5}}{{$x}}", "5"),
        ("{{`raw \\n`}} {{\"\\t|\\u00e9\"}}", "raw \\n \t|é"),
        ("{{true}} {{nil | json}} {{-5}} {{0x10}}", "true null -5 16"),
        ("{{html \"<a>\"}}", "&lt;a&gt;"),
    ],
)  # fmt: skip
def test_what_docker_prints(template: str, text: str) -> None:
    assert Template(template).execute(DATA) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.A", "template: :1: unclosed action"),
        ('{{"x}}', "template: :1: unterminated quoted string"),
        ("{{foo .A}}", 'template: :1: function "foo" not defined'),
        ("{{if .A}}", "template: :1: unexpected EOF"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{}}", "template: :1: missing value for command"),
        ("{{(.A}}", "template: :1: unclosed left paren"),
        ("{{define \"x\"}}{{end}}", "template: :1: define is not supported"),
        ("{{.Foo}}", 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'),
        ("{{.A.B}}", 'template: :1:4: executing "" at <.A.B>: can\'t evaluate field B in type int'),
        ("{{index .B 5}}", 'template: :1:2: executing "" at <index .B 5>: error calling index: index out of range: 5'),
        ("{{join .B}}", 'template: :1:2: executing "" at <join>: wrong number of args for join: want 2 got 1'),
        ("{{range .A.B}}{{end}}", 'template: :1:10: executing "" at <.A.B>: can\'t evaluate field B in type int'),
    ],
)  # fmt: skip
def test_errors_in_gos_words(template: str, text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(template).execute(DATA)
    assert str(caught.value) == text


def test_rows_have_methods_and_a_type() -> None:
    row = Fields({"Names": "n", "Label": lambda name: f"<{name}>"})
    row.type_name = "*formatter.ContainerContext"
    assert Template('{{.Names}} {{.Label "x"}}').execute(row) == "n <x>"
    with pytest.raises(TemplateError, match=r"can't evaluate field Foo in type \*formatter.ContainerContext"):
        Template("{{.Foo}}").execute(row)


@given(st.text(alphabet="{}-/*\"'` .aB$|()\n", max_size=40))
def test_any_text_is_a_template_or_an_error(source: str) -> None:
    try:
        Template(source)
    except TemplateError:
        return
    assert pieces(source)
