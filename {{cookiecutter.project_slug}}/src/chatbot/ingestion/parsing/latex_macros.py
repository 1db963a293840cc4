"""What LaTeX's macros stand for: accents and signs as characters, and which arguments are no text."""

ACCENTS = {
    **{"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307"},
    **{"c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328", "r": "\u030a", "d": "\u0323"},
}
"""The combining accent of each macro."""
LETTERS = {
    **{
        "oe": "œ",
        "OE": "Œ",
        "ae": "æ",
        "AE": "Æ",
        "ss": "ß",
        "o": "ø",
        "O": "Ø",
        "aa": "å",
        "AA": "Å",
        "l": "ł",
        "L": "Ł",
    },
    **{"i": "i", "j": "j", "dots": "…", "ldots": "…", "textellipsis": "…", "LaTeX": "LaTeX", "TeX": "TeX", "S": "§"},
    **{"P": "¶", "copyright": "©", "pounds": "£", "euro": "€", "texteuro": "€", "textdegree": "°", "degres": "°"},
    **{"og": "« ", "fg": " »", "guillemotleft": "«", "guillemotright": "»", "textendash": "–", "textemdash": "—"},
    **{"textquoteright": "’", "textquoteleft": "‘", "textbackslash": "\\", "ier": "er", "no": "n°", "numero": "n°"},
    **{"quad": " ", "qquad": " ", "newline": " ", "par": "\n\n", "textasciitilde": "~", "slash": "/", "checkmark": "✓"},
    **{"textunderscore": "_", "textbar": "|", "textless": "<", "textgreater": ">"},
}
ONE_ARGUMENT = """
label ref eqref pageref autoref cref Cref nameref includegraphics vspace hspace usepackage documentclass bibliography
bibliographystyle pagestyle thispagestyle hypersetup textcolor color href colorbox pagenumbering index glsadd phantom
hphantom vphantom selectlanguage graphicspath theoremstyle raisebox scalebox cline addbibresource nocite fontfamily
linespread geometry
"""
TWO_ARGUMENTS = """
setlength addtolength setcounter addtocounter fontsize rule newtheorem resizebox multicolumn
multirow
"""
DROPPED = {
    **dict.fromkeys(ONE_ARGUMENT.split(), 1),
    **dict.fromkeys(TWO_ARGUMENTS.split(), 2),
    **dict.fromkeys(("newenvironment", "renewenvironment", "definecolor"), 3),
}
"""How many of a macro's first arguments are no text; what follows them is."""
