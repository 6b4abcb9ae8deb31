"""Scripts that complete the command line in bash, zsh and fish: commands, options, choices, keys and packaged cases.

All words stand in the script, so that a completion starts no Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

KEYED = ("--set", "--vary")
"""Options whose value begins with a key of a case."""


@dataclass(frozen=True)
class Words:
    """What may follow a command.

    summary : what it does.   options : with their help.   choices : by option, the values that it takes.   first : what
    may stand in its first place beside files: packaged cases, or commands.
    """

    summary: str
    options: Mapping[str, str]
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    first: Sequence[str] = ()


def words_of(parser: argparse.ArgumentParser, cases: Sequence[str]) -> Words:
    """The words of a command, from its parser.   cases : the packaged ones."""
    options, choices, first = {}, {}, list[str]()
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--"):
                options[option] = (action.help or "").replace("%%", "%")
                if action.choices:
                    choices[option] = [str(choice) for choice in action.choices]
        if not action.option_strings:
            first += cases if action.dest in ("case", "preset") else map(str, action.choices or ())
    return Words(parser.description or "", options, choices, first)


def script(shell: str, verbs: Mapping[str, Words], keys: Sequence[str]) -> str:
    """The script of "bash", "zsh" or "fish".   keys : those of a case, for --set."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](verbs, keys)


def _bash(verbs: Mapping[str, Words], keys: Sequence[str]) -> str:
    lines = [
        "# Tab completion of wgfpde in bash:  source <(wgfpde completion bash)",
        "_wgfpde() {",
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}",
        "    local options= first= choices=",
        "    COMPREPLY=()",
        '    if [ "$COMP_CWORD" -eq 1 ]; then',
        f'        COMPREPLY=($(compgen -W "{" ".join(verbs)} --help --version" -- "$word"))',
        "        return",
        "    fi",
        '    case "$before" in',
        f"        {'|'.join(KEYED)})",
        "            compopt -o nospace",
        f'            COMPREPLY=($(compgen -S = -W "{" ".join(keys)}" -- "$word"))',
        "            return ;;",
        "    esac",
        '    case "$verb" in',
    ]
    lines += _of_verbs(verbs, "$before", '"', '"')
    lines += [
        "    esac",
        '    if [ -n "$choices" ]; then',
        '        COMPREPLY=($(compgen -W "$choices" -- "$word"))',
        "    elif [[ $word == -* ]]; then",
        '        COMPREPLY=($(compgen -W "$options" -- "$word"))',
        "    else",
        "        compopt -o filenames",
        '        [ "$COMP_CWORD" -eq 2 ] && COMPREPLY=($(compgen -W "$first" -- "$word"))',
        '        COMPREPLY+=($(compgen -f -- "$word"))',
        "    fi",
        "}",
        "complete -F _wgfpde wgfpde",
    ]
    return "\n".join(lines)


def _of_verbs(verbs: Mapping[str, Words], before: str, opening: str, closing: str) -> list[str]:
    """Branches by verb that set options, first and choices, as bash and zsh share them.   before : the word before."""
    lines = []
    for name, words in verbs.items():
        options, first = (f"{opening}{' '.join(some)}{closing}" for some in (words.options, words.first))
        lines += [f"        {name}) options={options} first={first}", f'            case "{before}" in']
        for option, values in words.choices.items():
            lines.append(f"                {option}) choices={opening}{' '.join(values)}{closing} ;;")
        lines.append("            esac ;;")
    return lines


def _zsh(verbs: Mapping[str, Words], keys: Sequence[str]) -> str:
    lines = [
        "#compdef wgfpde",
        "# Tab completion of wgfpde in zsh:  source <(wgfpde completion zsh), after compinit",
        "_wgfpde() {",
        "    local -a options first choices",
        "    if (( CURRENT == 2 )); then",
        f"        compadd -- {' '.join(verbs)} --help --version",
        "        return",
        "    fi",
        "    case $words[CURRENT-1] in",
        f"        {'|'.join(KEYED)}) compadd -S = -- {' '.join(keys)}; return ;;",
        "    esac",
        "    case $words[2] in",
    ]
    lines += _of_verbs(verbs, "$words[CURRENT-1]", "(", ")")
    lines += [
        "    esac",
        "    if (( $#choices )); then",
        "        compadd -a choices",
        "    elif [[ $words[CURRENT] == -* ]]; then",
        "        compadd -a options",
        "    else",
        "        (( CURRENT == 3 )) && compadd -a first",
        "        _files",
        "    fi",
        "}",
        "compdef _wgfpde wgfpde",
    ]
    return "\n".join(lines)


def _fish(verbs: Mapping[str, Words], keys: Sequence[str]) -> str:
    lines = ["# Tab completion of wgfpde in fish:  wgfpde completion fish | source"]
    for name, words in verbs.items():
        lines.append(f"complete -c wgfpde -f -n __fish_use_subcommand -a {name} -d {_quoted(words.summary)}")
        seen = f"complete -c wgfpde -n '__fish_seen_subcommand_from {name}'"
        if words.first:
            lines.append(f"{seen} -a {_quoted(' '.join(words.first))}")
        for option, told in words.options.items():
            values = words.choices.get(option, [f"{key}=" for key in keys] if option in KEYED else [])
            takes = f" -x -a {_quoted(' '.join(values))}" if values else ""
            lines.append(f"{seen} -l {option.removeprefix('--')}{takes} -d {_quoted(told)}")
    return "\n".join(lines)


def _quoted(words: str) -> str:
    """Text for fish, on one line."""
    return "'" + " ".join(words.split()).replace("\\", "\\\\").replace("'", "\\'") + "'"
