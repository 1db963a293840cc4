{% include "secrets/" ~ cookiecutter.secrets_backend ~ "/adapter.py" %}
