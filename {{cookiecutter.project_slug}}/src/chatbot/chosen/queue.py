{% include "queue/" ~ cookiecutter.queue ~ "/adapter.py" %}
