"""The words of the pages: French for what the rest of the program says in data and English.

Enters: dates, numbers, codes, kinds of errors. Leaves: text for readers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecluse.core.errors import EcluseError
from ecluse.index.protocol import BadQuery, Missing

THIN = "\u202f"
MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_BEFORE = re.compile(" ([:;?!»])")
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2}))?)?)?")

QUESTIONS = {
    "quote": "Un guillemet reste ouvert : fermez-le, comme dans « hypertension artérielle ».",
    "star": "L'étoile se met à la fin d'un mot : hypert*",
    "prefix": "Il faut au moins deux lettres avant l'étoile : hypert*",
    "or": "OU se met entre deux mots : diabète OU diabétique. Un mot exclu (-mot) ne peut pas être à côté.",
    "empty": "La recherche ne contient aucun mot : écrivez au moins une lettre ou un chiffre.",
    "nothing": "Écrivez au moins un mot, ou choisissez un filtre.",
    "long": "La recherche est trop longue : mille caractères au plus.",
    "many": "La recherche contient trop de mots : trente-deux au plus.",
    "far": "Seuls les dix mille premiers résultats se feuillettent : ajoutez un mot ou un filtre.",
    "wide": "Trop de mots commencent ainsi : ajoutez des lettres avant l'étoile.",
}
STATUSES = {
    "superseded": "remplacé",
    "preliminary": "provisoire",
    "partial": "partiel",
    "registered": "enregistré",
    "amended": "modifié",
    "corrected": "corrigé",
    "appended": "complété",
    "unknown": "statut inconnu",
}
"""Statuses worth saying; the others are the usual ones."""

REASONS = {
    "structure": "structure incorrecte",
    "required": "élément manquant",
    "value": "valeur incorrecte",
    "code-invalid": "code hors du jeu de valeurs",
    "invariant": "règle non respectée",
    "business-rule": "règle du serveur",
    "conflict": "conflit avec une autre écriture",
    "duplicate": "en double",
    "multiple-matches": "plusieurs ressources correspondent",
    "not-found": "introuvable",
    "deleted": "supprimée",
    "not-supported": "non pris en charge",
    "too-long": "trop long",
    "too-costly": "trop coûteux",
    "throttled": "trop de requêtes à la fois",
    "timeout": "trop lent",
    "transient": "indisponible pour un instant",
    "exception": "panne du serveur",
    "incomplete": "vérification incomplète",
    "informational": "information",
    "unchanged": "rien à changer",
    "kept": "laissé comme reçu en direct",
    "repeated": "déjà reçue",
    "not-noted": "refus non détaillés",
}
"""FHIR's codes of issues, and what the intake says of requests that were done."""

PERIODS = {"1h": "1\u202fheure", "24h": "24\u202fheures", "7d": "7\u202fjours", "30d": "30\u202fjours"}
OUTCOMES = {"2xx": "acceptée", "4xx": "refusée", "5xx": "panne"}
SEVERITIES = {"fatal": "erreur", "error": "erreur", "warning": "avertissement", "information": "information"}
PLACES = {
    "since": "Une période s'écrit 30m, 24h ou 7d, ou comme une date avec l'heure : 2026-11-24T10:00+01:00.",
    "status": "Un résultat s'écrit 412, ou 4xx pour tous les refus.",
    "severity": "La gravité est error, warning ou information.",
    "after": "La suite de cette liste n'est pas comprise : revenez à son début.",
    "request-id": "Écrivez le numéro de la requête : celui de l'en-tête X-Request-Id de la réponse.",
}
"""What to write, by the parameter that does not fit."""

CONSUMERS = {
    "warehouse": "Entrepôt OMOP",
    "search": "Recherche plein texte",
    "subscriptions": "Abonnements",
    "relay": "Relais vers Kafka",
}


def date(text: str) -> str:
    """A FHIR date as one says it, with the time as the sender's clock showed it; "" stays ""."""
    found = _DATE.match(text)
    if not found:
        return text
    year, month, day, hour, minute = found.groups()
    if not month:
        return year
    name = MONTHS[int(month) - 1]
    if not day:
        return f"{name} {year}"
    first = "1er" if day == "01" else str(int(day))
    return f"{first} {name} {year}" + (f" à {hour}{THIN}h{THIN}{minute}" if hour else "")


def instant(text: str) -> str:
    """An instant of the server, to the second: `26 novembre 2026 à 20:05:03 UTC`."""
    return f"{date(text[:10])} à {text[11:19]} UTC"


def reason(code: str) -> str:
    """Why, for readers; a code that has no words stays as it is."""
    return REASONS.get(code, code)


def period(code: str) -> str:
    """Since when, for readers."""
    return PERIODS.get(code, code)


def outcomes(code: str) -> str:
    """A class of answers, for readers."""
    return OUTCOMES.get(code, code)


def severity(code: str) -> str:
    """How severe, for readers."""
    return SEVERITIES.get(code, code)


def profile(canonical: str) -> str:
    """The last part of a profile's address with its version; rules without a profile are those of R4."""
    return canonical.rpartition("/")[2] if canonical else "R4"


def outcome(status: int) -> str:
    """What became of a request."""
    return outcomes("5xx" if status >= 500 else "2xx" if 200 <= status < 400 else "4xx")


def effect(row: Mapping[str, Any]) -> str:
    """What a request did: `2 créées, 1 refusée`."""
    told = (("created", "créée"), ("updated", "modifiée"), ("deleted", "supprimée"), ("refused", "refusée"))
    return ", ".join(counted(row[name], one, f"{one}s") for name, one in told if row[name]) or "rien"


def number(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}".replace(",", THIN)


def counted(value: int, one: str, many: str) -> str:
    """A number and its noun."""
    return f"{number(value)} {many if value > 1 else one}"


def size(octets: int) -> str:
    """How much room: `12 Ko`, `3 Mo`, `16 Go`."""
    for each, unit in ((1 << 30, "Go"), (1 << 20, "Mo")):
        if octets >= each:
            return f"{number(round(octets / each))}{THIN}{unit}"
    return f"{number(-(-octets // 1024))}{THIN}Ko"


def duration(seconds: float) -> str:
    """How long something waits: `3 s`, `5 min`, `2 h`, `4 j`."""
    for size, unit in ((86_400, "j"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)}{THIN}{unit}"
    return f"{max(1, round(seconds))}{THIN}s"


def consumer(name: str) -> str:
    """A consumer's name for readers."""
    return CONSUMERS.get(name) or f"Hub : {name.removeprefix('hub-')}"


def status(code: str) -> str:
    """What is unusual about a report's status, "" when nothing is."""
    return STATUSES.get(code, "")


def failure(error: EcluseError) -> str:
    """What a reader can do about an error."""
    return _BEFORE.sub(THIN + r"\1", _failure(error)).replace("« ", f"«{THIN}")


def _failure(error: EcluseError) -> str:
    if isinstance(error, BadQuery):
        return QUESTIONS[error.kind]
    if isinstance(error, Missing):
        return "L'index des comptes rendus n'existe pas encore. « ecluse consume search » le construit."
    place = error.issues[0].expression
    if error.status == 404 and place == "site":
        return "Aucun site ne porte ce nom. Choisissez-en un autre, ou aucun."
    if error.status == 404 and place == "request-id":
        return "Aucune requête de ce numéro n'est arrivée, ou elle est trop ancienne. Vérifiez son X-Request-Id."
    if error.status == 405:
        return "Cette adresse se lit seulement : ouvrez-la sans rien envoyer."
    if error.status == 404:
        return "Cette page n'existe pas, ou ce compte rendu n'est pas dans l'index."
    if error.status == 503:
        return "La base de données ne répond pas. Réessayez dans un instant."
    if place in PLACES:
        return PLACES[place]
    if place in ("from", "to"):
        return "Une date s'écrit AAAA, AAAA-MM ou AAAA-MM-JJ."
    return (
        f"L'adresse n'est pas comprise : le paramètre « {place} » ne convient pas."
        if place
        else ("L'adresse n'est pas comprise : elle contient un paramètre inconnu.")
    )
