"""Makes adapters with PEFT over a base, saves them, and says what the model with each makes of some rows.

in:  {"base": folder, "out": folder, "rows": [{"ids": [int], "from": first answer token}], "prompt": [int], "tokens": int}
out: {"adapters": {name: {"loss": mean per answer token, "answer": [int], greedy}}}
"""

import json
import sys

import torch
from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

job = json.load(sys.stdin)
torch.set_num_threads(1)
configs = {
    "low": LoraConfig(r=3, lora_alpha=12, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM"),
    "scaled": IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], init_ia3_weights=False, task_type="CAUSAL_LM"),
    "soft": PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
}
found = {}
for name, config in configs.items():
    torch.manual_seed(7)
    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
    model = get_peft_model(base, config).eval()
    model.save_pretrained(f"{job['out']}/{name}")
    total, count = 0.0, 0
    with torch.no_grad():
        for row in job["rows"]:
            ids = torch.tensor([row["ids"]])
            logits = model(input_ids=ids).logits[0, -ids.shape[1] :]
            picked = torch.log_softmax(logits, -1)[torch.arange(ids.shape[1] - 1), ids[0, 1:]][row["from"] - 1 :]
            total -= picked.sum().item()
            count += picked.numel()
        prompt = torch.tensor([job["prompt"]])
        answer = []
        for _ in range(job["tokens"]):
            answer.append(model(input_ids=prompt).logits[0, -1].argmax().item())
            prompt = torch.cat([prompt, torch.tensor([[answer[-1]]])], 1)
    found[name] = {"loss": total / count, "answer": answer}
json.dump({"adapters": found}, sys.stdout)
