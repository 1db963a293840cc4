{% include "queue/" ~ cookiecutter.queue ~ ".py" %}
