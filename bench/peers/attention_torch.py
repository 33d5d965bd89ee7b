# PyTorch's scaled_dot_product_attention, causal, forward and gradient: medians in milliseconds as JSON.
#   attention_torch.py rows,tokens,heads,key heads,width,rounds
import json
import sys
import time

import torch

b, t, h, g, d, rounds = map(int, sys.argv[1].split(","))
q, k, v = (torch.randn(b, n, t, d, requires_grad=True) for n in (h, g, g))
dout = torch.randn(b, h, t, d)
forward, backward = [], []
for i in range(-5, rounds):
    start = time.perf_counter()
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=h != g)
    middle = time.perf_counter()
    out.backward(dout)
    end = time.perf_counter()
    if i >= 0:
        forward.append(1e3 * (middle - start))
        backward.append(1e3 * (end - middle))
print(json.dumps([sorted(forward)[rounds // 2], sorted(backward)[rounds // 2]]))
