"""Which column holds what."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from connectors.values import Field

NAMES: dict[Field, tuple[str, ...]] = {
    "text": (
        "text", "review_text", "review", "comment", "comments", "content", "body", "message", "feedback", "verbatim",
        "answer", "kommentar", "rezension", "bewertungstext", "nachricht", "freitext", "commentaire", "avis",
        "comentario", "opinion", "resena", "commento", "recensione", "opmerking",
    ),
    "id": (
        "id", "review_id", "reviewid", "response_id", "responseid", "comment_id", "message_id", "tweet_id", "survey_id",
        "uuid", "guid", "antwort_id", "bewertungs_id",
    ),
    "title": (
        "title", "headline", "subject", "summary", "review_title", "titel", "betreff", "titre", "titulo", "titolo",
    ),
    "rating": (
        "rating", "stars", "score", "star_rating", "overall_rating", "overall", "nps", "nps_score", "csat", "punktzahl",
        "punkte", "sterne", "bewertung", "note", "etoiles", "puntuacion", "estrellas", "punteggio", "voto",
    ),
    "rating_max": ("rating_max", "max_rating", "max", "rating_scale", "scale", "out_of"),
    "said_at": (
        "said_at", "created_at", "created_on", "created", "submitted_at", "submitted", "published_at", "published",
        "posted_at", "review_date", "response_date", "date", "datetime", "timestamp", "ts", "time", "abgegeben_am",
        "erstellt_am", "datum", "zeitpunkt", "date_de_creation", "fecha",
    ),
    "author": (
        "author", "author_name", "user", "user_name", "username", "reviewer", "reviewer_name", "screen_name", "handle",
        "customer", "customer_name", "autor", "verfasser", "kunde", "auteur", "autore",
    ),
    "url": ("url", "link", "permalink", "review_url"),
    "language": ("language", "lang", "locale", "sprache", "langue", "idioma", "lingua"),
    "thread": ("thread", "thread_id", "conversation", "conversation_id", "ticket_id"),
    "brand": ("brand", "brand_name", "company", "marke", "firma", "marque", "marca"),
    "product": ("product", "product_name", "item", "app", "produkt", "produit", "producto", "prodotto"),
    "country": ("country", "country_code", "land", "pays", "pais", "paese"),
    "kind": ("kind",),
}  # fmt: skip
"""How exports call their columns, the surest name first; case, accents and signs between words do not matter."""

SCALES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("stars", "star_rating", "sterne", "etoiles", "estrellas"), (1, 5)),
    **dict.fromkeys(("nps", "nps_score"), (0, 10)),
}
"""Columns whose name says their scale."""


def plain_name(column: str) -> str:
    """A column's name without case, accents and signs: "Abgegeben am" is "abgegeben_am"."""
    letters = unicodedata.normalize("NFKD", column.casefold())
    return "_".join(re.findall(r"[^\W_]+", "".join(letter for letter in letters if not unicodedata.combining(letter))))


@lru_cache(maxsize=1024)
def found(
    columns: tuple[str, ...], named: tuple[tuple[Field, str], ...], constant: frozenset[Field]
) -> Mapping[Field, str]:
    """The column of each field: as the settings name it ("" for none); else, where no constant is set, by `NAMES`."""
    mapping: dict[Field, str] = dict(named)
    free = {plain_name(column): column for column in reversed(columns) if column not in mapping.values()}
    for field, names in NAMES.items():
        if field not in mapping and field not in constant:
            column = next((free[name] for name in names if name in free), None)
            if column is not None:
                mapping[field] = column
    return {field: column for field, column in mapping.items() if column}
