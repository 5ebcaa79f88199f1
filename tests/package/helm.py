"""Renders the Helm chart: by Helm if it is in PATH, else here, as far as the chart's templates go.

What is rendered here is a small part of Go's templates. Anything that isn't known is an error, and so is a value that isn't
there: the chart is to be as simple as what this understands."""
import copy
import hashlib
import json
import pathlib
import re
import shutil
import tempfile

import yaml

from support import run

ACTION = re.compile(r"\{\{(-\s+)?(?:(/\*.*?\*/)|(.*?))(\s+-)?\}\}", re.S)
TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+)(?![\w.])|(\$?\w*(?:\.\w+)+|\$\w*|\.)|([A-Za-z]\w*)|(:=|[()|]))', re.S)


class TemplateError(Exception):
    pass


def is_true(value):
    return bool(value)


def text_of(value):
    if value is None:
        raise TemplateError("a value that isn't there is printed")
    return str(value).lower() if isinstance(value, bool) else str(value)


def functions(chart):
    def check_texts(*values):
        if not all(isinstance(value, str) for value in values):
            raise TemplateError(f"not texts: {values}")

    def include(name, context):
        return chart.expand(chart.definition(name), context, {"$": context})

    def nindent(count, text):
        check_texts(text)
        return "\n" + "\n".join(" " * count + line for line in text.split("\n"))

    def trunc(count, text):
        check_texts(text)
        return text[:count]

    def required(message, value):
        if value in (None, ""):
            raise TemplateError(message)
        return value

    def sha256sum(text):
        check_texts(text)
        return hashlib.sha256(text.encode()).hexdigest()

    def quote(text):
        return json.dumps(text_of(text), ensure_ascii=False)

    return {
        "include": (2, include),
        "nindent": (2, nindent),
        "trunc": (2, trunc),
        "required": (2, required),
        "sha256sum": (1, sha256sum),
        "quote": (1, quote),
        "default": (2, lambda fallback, value: value if is_true(value) else fallback),
        "eq": (2, lambda left, right: left == right),
        "toYaml": (1, lambda value: yaml.safe_dump(value, sort_keys=False, default_flow_style=False).rstrip("\n")),
        "dict": (None, lambda *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True))),
    }


class Chart:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.about,) = yaml.safe_load_all((self.folder / "Chart.yaml").read_text())
        self.functions = functions(self)
        self.definitions = {}
        self.files = {}
        for path in sorted((self.folder / "templates").iterdir()):
            nodes, rest = self.parse(self.split(path.read_text()), set())
            assert not rest
            if path.name.startswith("_"):
                if any(text.strip() for kind, text in nodes if kind == "text"):
                    raise TemplateError(f"{path.name}: text outside of a definition")
            else:
                self.files[path.name] = nodes

    @staticmethod
    def split(text):
        """[("text", TEXT) or ("action", TOKENS)...], white space trimmed as the actions say."""
        parts, at, trim = [], 0, False
        for found in ACTION.finditer(text):
            before = text[at:found.start()]
            parts.append(("text", (before.lstrip() if trim else before)))
            if found[1]:
                parts[-1] = ("text", parts[-1][1].rstrip())
            if not found[2]:
                parts.append(("action", Chart.tokens(found[3])))
            trim, at = bool(found[4]), found.end()
        rest = text[at:]
        parts.append(("text", rest.lstrip() if trim else rest))
        for kind, value in parts:
            if kind == "text" and ("{{" in value or "}}" in value):
                raise TemplateError(f"an action isn't understood: {value!r}")
        return parts

    @staticmethod
    def tokens(source):
        listed, at = [], 0
        while source[at:].strip():
            found = TOKEN.match(source, at)
            if not found:
                raise TemplateError(f"not understood: {source[at:]!r}")
            kind = ("text", "number", "field", "word", "sign")[found.lastindex - 1]
            listed.append((kind, found[found.lastindex]))
            at = found.end()
        if not listed:
            raise TemplateError("an empty action")
        return listed

    def parse(self, parts, ends):
        """Nodes up to an action that begins with one of `ends`, and what follows from that one on."""
        nodes = []
        while parts:
            (kind, value), parts = parts[0], parts[1:]
            if kind == "text":
                if value:
                    nodes.append((kind, value))
                continue
            first = value[0]
            if first[0] == "word" and first[1] in ("end", "else"):
                if first[1] not in ends:
                    raise TemplateError(f"an {first[1]} too many")
                return nodes, [(kind, value)] + parts
            if first == ("word", "if"):
                node, parts = self.parse_if(value[1:], parts)
                nodes.append(node)
            elif first == ("word", "define"):
                if len(value) != 2 or value[1][0] != "text":
                    raise TemplateError("define takes a name")
                body, parts = self.parse(parts, {"end"})
                self.take_end(parts)
                name = json.loads(value[1][1])
                if name in self.definitions:
                    raise TemplateError(f"{name} is defined twice")
                self.definitions[name] = body
                parts = parts[1:]
            elif len(value) > 2 and value[1] == ("sign", ":=") and re.fullmatch(r"\$\w+", first[1]):
                nodes.append(("set", (first[1], value[2:])))
            else:
                nodes.append(("print", value))
        if ends:
            raise TemplateError("an end is missing")
        return nodes, parts

    @staticmethod
    def take_end(parts):
        if parts[0][1] != [("word", "end")]:
            raise TemplateError(f"end is expected, not {parts[0][1]}")

    def parse_if(self, condition, parts):
        body, parts = self.parse(parts, {"end", "else"})
        action, parts = parts[0][1], parts[1:]
        if action == [("word", "end")]:
            return ("if", (condition, body, [])), parts
        if action[:2] == [("word", "else"), ("word", "if")]:
            node, parts = self.parse_if(action[2:], parts)
            return ("if", (condition, body, [node])), parts
        if action != [("word", "else")]:
            raise TemplateError(f"not understood: {action}")
        otherwise, parts = self.parse(parts, {"end"})
        self.take_end(parts)
        return ("if", (condition, body, otherwise)), parts[1:]

    def definition(self, name):
        if name not in self.definitions:
            raise TemplateError(f"{name} isn't defined")
        return self.definitions[name]

    def expand(self, nodes, context, variables):
        variables, out = dict(variables), ""
        for kind, value in nodes:
            if kind == "text":
                out += value
            elif kind == "set":
                variables[value[0]] = self.evaluate(value[1], context, variables)
            elif kind == "print":
                out += text_of(self.evaluate(value, context, variables))
            else:
                condition, body, otherwise = value
                chosen = body if is_true(self.evaluate(condition, context, variables)) else otherwise
                out += self.expand(chosen, context, variables)
        return out

    def evaluate(self, tokens, context, variables):
        value, rest = self.pipeline(tokens, context, variables)
        if rest:
            raise TemplateError(f"not understood: {rest}")
        return value

    def pipeline(self, tokens, context, variables):
        piped = []
        while True:
            value, tokens = self.command(tokens, context, variables, piped)
            if not tokens or tokens[0] != ("sign", "|"):
                return value, tokens
            piped, tokens = [value], tokens[1:]

    def command(self, tokens, context, variables, piped):
        if not tokens:
            raise TemplateError("a value is missing")
        if tokens[0][0] == "word" and tokens[0][1] not in ("true", "false"):
            name, tokens = tokens[0][1], tokens[1:]
            if name not in self.functions:
                raise TemplateError(f"there is no function {name} here")
            count, function = self.functions[name]
            arguments = []
            while tokens and tokens[0] not in (("sign", "|"), ("sign", ")")):
                value, tokens = self.operand(tokens, context, variables)
                arguments.append(value)
            arguments += piped
            if count is not None and len(arguments) != count:
                raise TemplateError(f"{name} takes {count} arguments, not {len(arguments)}")
            return function(*arguments), tokens
        if piped:
            raise TemplateError("a value is piped into what is no function")
        return self.operand(tokens, context, variables)

    def operand(self, tokens, context, variables):
        (kind, text), tokens = tokens[0], tokens[1:]
        if kind == "text":
            return json.loads(text), tokens
        if kind == "number":
            return int(text), tokens
        if kind == "word" and text in ("true", "false"):
            return text == "true", tokens
        if kind == "field":
            return self.field(text, context, variables), tokens
        if (kind, text) == ("sign", "("):
            value, tokens = self.pipeline(tokens, context, variables)
            if not tokens or tokens[0] != ("sign", ")"):
                raise TemplateError("a ) is missing")
            return value, tokens[1:]
        raise TemplateError(f"not understood: {text}")

    @staticmethod
    def field(text, context, variables):
        if text == ".":
            return context
        first, *names = text.split(".")
        if first and first not in variables:
            raise TemplateError(f"there is no {first}")
        value = variables[first] if first else context
        for name in names:
            if not isinstance(value, dict) or name not in value:
                raise TemplateError(f"there is no {text}")
            value = value[name]
        return value

    def values(self, changes):
        def merge(target, source):
            for key, value in source.items():
                if isinstance(value, dict) and isinstance(target.get(key), dict):
                    merge(target[key], value)
                else:
                    target[key] = value
            return target

        return merge(yaml.safe_load((self.folder / "values.yaml").read_text()), copy.deepcopy(changes))

    def render(self, changes, namespace):
        """The text of each template file, by name; a template that is empty then, too."""
        context = {"Values": self.values(changes), "Chart": {"AppVersion": self.about["appVersion"]},
                   "Release": {"Namespace": namespace}}
        return {name: self.expand(nodes, context, {"$": context}) for name, nodes in self.files.items()}


def template(folder, changes, namespace):
    """The documents of the chart with these changes of its values."""
    if shutil.which("helm"):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(changes, file)
            file.flush()
            text = run("helm", "template", "proxysql", folder, "--namespace", namespace, "--values", file.name)
        texts = [text]
    else:
        texts = [text for name, text in Chart(folder).render(changes, namespace).items() if name.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]
