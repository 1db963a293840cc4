"""`python -m chatbot`: the command line without an installed script."""

from chatbot.cli.main import main

main(prog_name="chatbot")
