"""LoRA over a base packed in 4 bits with transformers, PEFT and bitsandbytes on the CPU: what bench/qlora.ts measures us against.

With --make it writes a random Llama checkpoint to --model. Else it trains --steps steps on random rows and prints one line of JSON:
tokensPerSecond (over the steps after the first), lastLoss, peak (largest resident size, bytes) and empty (the same after imports).
"""

import argparse
import json
import resource
import time

parse = argparse.ArgumentParser()
parse.add_argument("--model", required=True)
parse.add_argument("--make", action="store_true")
parse.add_argument("--layers", type=int, default=8)
parse.add_argument("--hidden", type=int, default=1024)
parse.add_argument("--rows", type=int, default=4)
parse.add_argument("--length", type=int, default=256)
parse.add_argument("--steps", type=int, default=6)
parse.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
args = parse.parse_args()

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM  # noqa: E402

if args.make:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=384, hidden_size=args.hidden, intermediate_size=args.hidden * 11 // 4, num_hidden_layers=args.layers,
        num_attention_heads=args.hidden // 64, num_key_value_heads=args.hidden // 64, max_position_embeddings=2048, rms_norm_eps=1e-5,
        bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(args.model)
    raise SystemExit

import bitsandbytes  # noqa: E402, F401
from peft import LoraConfig, get_peft_model  # noqa: E402

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # noqa: E731
empty = peak()
torch.manual_seed(7)
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
packing = BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
)
model = AutoModelForCausalLM.from_pretrained(args.model, quantization_config=packing, dtype=dtype)
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM"))
model.enable_input_require_grads()
model.train()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
ids = torch.randint(3, 384, (args.rows, args.length))
times, loss = [], None
for _ in range(args.steps):
    start = time.perf_counter()
    loss = model(input_ids=ids, labels=ids).loss
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    times.append(time.perf_counter() - start)
rate = args.rows * args.length * (len(times) - 1) / sum(times[1:])
print(json.dumps({"tokensPerSecond": rate, "lastLoss": loss.item(), "peak": peak(), "empty": empty}))
