{% include "secrets/" ~ cookiecutter.secrets_backend ~ ".py" %}
