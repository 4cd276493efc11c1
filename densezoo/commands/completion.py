"""Print a script that completes commands and options of densezoo in a shell: bash, zsh or fish.

source <(densezoo completion bash)
densezoo completion fish > ~/.config/fish/completions/densezoo.fish
"""

from __future__ import annotations

import importlib
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence

from densezoo.commands import options
from densezoo.commands.__main__ import command_names, one_line
from densezoo.commands.output import answer

_BASH = """_densezoo() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands} --help --version"
    else
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _densezoo densezoo"""


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    parser.add_argument("shell", choices=sorted(SHELLS))
    return parser


def run(args: Namespace) -> None:
    """Print the script."""
    script = SHELLS[args.shell]({name: _options_of(name) for name in command_names()})
    answer(args, script, {"script": script})


def _options_of(command: str) -> list[str]:
    """The long options of a command."""
    parser: ArgumentParser = importlib.import_module(f"densezoo.commands.{command}").make_parser()
    shown = (action for action in parser._actions if action.help != "==SUPPRESS==")
    return sorted(option for action in shown for option in action.option_strings if option.startswith("--"))


def _bash(commands: Mapping[str, Sequence[str]]) -> str:
    """The script for bash, which completes file names if no option fits."""
    cases = "\n".join(f'            {name}) words="{" ".join(words)}" ;;' for name, words in commands.items())
    return _BASH.format(commands=" ".join(commands), cases=cases)


def _zsh(commands: Mapping[str, Sequence[str]]) -> str:
    """The script for zsh, which runs bash's completions."""
    return f"autoload -U +X compinit bashcompinit && compinit && bashcompinit\n{_bash(commands)}"


def _fish(commands: Mapping[str, Sequence[str]]) -> str:
    """The script for fish."""
    lines = []
    for name, words in commands.items():
        text = one_line(name).replace("'", r"\'")
        lines.append(f"complete -c densezoo -n __fish_use_subcommand -f -a {name} -d '{text}'")
        lines += [f"complete -c densezoo -n '__fish_seen_subcommand_from {name}' -l {option[2:]}" for option in words]
    return "\n".join(lines)


#: {shell: {command: its options} -> the script}.
SHELLS = {"bash": _bash, "fish": _fish, "zsh": _zsh}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)
