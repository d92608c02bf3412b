"""Which values of the environment an experiment file may send to an address that it names itself: those that the user consents to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from promptlab.nouns import Model, UsageProblem
from promptlab.nouns.places import configuration
from promptlab.planning.study import Study
from promptlab.running.gateway.providers import sent_abroad
from promptlab.sources.spec.user import consent, key_hosts


def need_key_consent(study: Study, allowed: Collection[str]) -> None:
    """UsageProblem where a file sends a value that neither `allowed` nor the user's configuration names."""
    if refused := [f"{model.name}: {why}" for model, why in refused_keys(study, allowed)]:
        raise UsageProblem("; ".join(dict.fromkeys(refused)))


def refused_keys(study: Study, allowed: Collection[str] = ()) -> Iterator[tuple[Model, str]]:
    """Each model that would be sent such a value, and what to do. A folder that the user trusts with code is trusted with keys."""
    foreign = [(model, *sent) for model in study.models if (sent := sent_abroad(model))[1]]
    if not foreign or study.files is not None or consent().covers("", study.path, study.path):
        return
    known = key_hosts()
    for model, host, names in foreign:
        for name in names:
            if name not in allowed and host not in known.get(name, ()):
                yield (
                    model,
                    (
                        f"the file sends the value of {name} to {host}, which is no address of {model.provider!r}; where you mean that, "
                        f"write 'keys: {{{name}: [{host}]}}' into {configuration()}, or give --allow-key {name} to sweep"
                    ),
                )
