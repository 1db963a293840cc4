{% include "vector_store/" ~ cookiecutter.vector_db ~ "/adapter.py" %}
