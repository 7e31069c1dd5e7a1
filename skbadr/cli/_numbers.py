"""Numbers as people write them: 1,234.50 or 1.234,50, $5, 12 %, (3), 1 000."""

import re

_CURRENCY = (
    r"(?:[A-Za-z]{0,2}[$¢-¥฿₠-⃀]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|BRL|SEK|NOK|DKK|PLN|CZK)"
    r"|kr\.?|Fr\.?|Rs\.?|zł|Kč)"
)
_WRITTEN = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+])?\s?(?:(?P<before>{_CURRENCY})\s?)?(?P<inner>[-+])?"
    rf"(?P<digits>(?:\d[\d.,' ]*)?\d[.,]?|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    rf"(?:\s?(?P<behind>%|{_CURRENCY}))?(?P<after>-)?(?P<close>\))?"
)
_WHOLE = re.compile(r"[-+]?\d{1,18}")  # what 64 bits hold
_LONG = re.compile(r"[-+]?\d{19,}")  # a code rather than a number
_PLAIN = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
# Spaces, apostrophes and signs that look like those of a keyboard.
_ALIKE = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "−": "-", "–": "-"})
_DECIMAL = {
    ".": re.compile(r"(?:\d+|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)*,\d{3})(?:\.\d*)?|\.\d+"),
    ",": re.compile(r"(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d*)?|,\d+"),
}
_GROUPED = re.compile(r"[1-9]\d{0,2}(?P<mark>[ '])\d{3}(?:(?P=mark)\d{3})*(?![\d '])")


_WITH_UNIT = re.compile(
    r"(?P<before>[^\W\d]*\.?[^\w.,'-]+)?\d[\d.,' ]*?(?P<behind>[^\w.,'-]+[^\W\d]*\.?)?"
)
# So few distinct numbers are groups or categories, such as grade 1 and grade 2.
FEW_NUMBERS = 10


def unknown_unit(texts):
    """Return a text that writes a number with a unit that is not read, if all do with the same."""
    if len(set(texts)) <= FEW_NUMBERS:
        return None
    found = [_WITH_UNIT.fullmatch(text) for text in texts]
    units = {match and (match["before"], match["behind"]) for match in found}
    return texts[0] if len(units) == 1 and not units & {None, (None, None)} else None


def is_plain(text):
    """Whether a text is a number as Python writes it."""
    return _PLAIN.fullmatch(text) is not None


def read_numbers(texts, decimal):
    """Return the numbers that texts write, or None if one of them writes none.

    Parameters
    ----------
    texts : list of str
    decimal : {".", ","}
        What separates decimals; the other one may group digits by thousands.

    Returns
    -------
    list of int, list of float, or None
        Integers where all are whole and have no decimals.
    """
    if all(map(_WHOLE.fullmatch, texts)):
        return list(map(int, texts))
    if any(map(_LONG.fullmatch, texts)):
        return None
    if decimal == "." and all(map(_PLAIN.fullmatch, texts)):
        return list(map(float, texts))
    numbers = []
    for text in texts:
        number = read_number(text, decimal)
        if number is None:
            return None
        numbers.append(number)
    return None if mix_units(texts) else numbers


def mix_units(texts):
    """Whether texts that write numbers mix currencies, or percents with other numbers."""
    written = (_WRITTEN.fullmatch(text.translate(_ALIKE)) for text in texts)
    units = {match and (match["before"] or match["behind"]) for match in written}
    return len(units - {None}) > 1 or units == {None, "%"}


def read_number(text, decimal):
    """Return the number that a text writes as a float, or None."""
    if _PLAIN.fullmatch(text) and (decimal == "." or "." not in text):
        return float(text)
    match = _WRITTEN.fullmatch(text.translate(_ALIKE))
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    signs = [match[name] for name in ("open", "sign", "inner", "after") if match[name]]
    if match["after"] and match["digits"][-1] in ".,":
        signs.pop()  # the dash of 500,- stands for no decimals
    if len(signs) > 1:
        return None
    digits = match["digits"]
    if grouped := _GROUPED.match(digits):
        digits = re.sub("[ ']", "", grouped[0]) + digits[grouped.end() :]
    if not _DECIMAL[decimal].fullmatch(digits):
        return None
    thousands = "," if decimal == "." else "."
    value = float(digits.replace(thousands, "").replace(decimal, ".") + (match["power"] or ""))
    return -value if signs and signs[0] in "-(" else value
