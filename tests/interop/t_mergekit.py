#!/usr/bin/env python3
"""varve merge and mergekit: every method, on random tensors of several sizes and types, and a recipe with slices.

Results are to be the same within one step of the type. What is left to chance is made equal by giving mergekit varve's numbers (docs/internals/model.md). Skips itself where mergekit is
not installed. On PATH: varve, git-varve.
"""
import json
import os
import sys
import tempfile

try:
    import numpy as np
    import torch
    import yaml
    from safetensors.torch import load_file, save_file
    from mergekit.merge_methods import merge_state_dicts, registered_methods
    from mergekit.merge_methods.generalized_task_arithmetic import GeneralizedTaskArithmeticMerge
except ImportError as e:
    print(f"1..0 # SKIP no mergekit: {e}")
    sys.exit(0)

from lib import end, ok, run

SHAPES = {"layers.0.w": (300, 441), "layers.0.b": (37,), "layers.1.w": (64, 128), "layers.1.b": (1000,), "norm": (64,)}
KNOWN = {m.spec.name for m in registered_methods()}
M64 = (1 << 64) - 1


# --- varve's numbers, from their description ---

def mix(x):
    x ^= x >> 30
    x = x * 0xbf58476d1ce4e5b9 & M64
    x ^= x >> 27
    x = x * 0x94d049bb133111eb & M64
    return x ^ x >> 31


def stream(seed, name, model):
    h = 0xcbf29ce484222325
    for c in name.encode():
        h = (h ^ c) * 0x100000001b3 & M64
    return mix(mix(seed + 0x9e3779b97f4a7c15 & M64) ^ h ^ mix(model + 0x632be59bd9b4e019 & M64))


def uniform(key, n):
    x = np.uint64(key) + (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9e3779b97f4a7c15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xbf58476d1ce4e5b9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94d049bb133111eb)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype("f8") * 2.0**-53


class Chance:
    """Stands in for torch.bernoulli while mergekit merges one tensor."""
    seed, name, model = 7, "", 0

    def group(self, method, group, /, **parameters):
        self.name, self.model = group.metadata.name, 0
        real, torch.bernoulli = torch.bernoulli, self.bernoulli
        try:
            return self.real(method, group, **parameters)
        finally:
            torch.bernoulli = real

    def bernoulli(self, p, **_more):
        u = uniform(stream(self.seed, self.name, self.model), p.numel())
        self.model += 1
        return (torch.from_numpy(u).reshape(p.shape) < p.double()).to(p.dtype)


chance = Chance()
chance.real = GeneralizedTaskArithmeticMerge.merge_group
GeneralizedTaskArithmeticMerge.merge_group = lambda *words, **more: chance.group(*words, **more)


def model(seed, dtype, near=None, far=0.1):
    g = torch.Generator().manual_seed(seed)
    t = {k: torch.randn(s, generator=g, dtype=torch.float64) for k, s in SHAPES.items()}
    if near:
        t = {k: near[k].double() + far * v for k, v in t.items()}
    return {k: v.to(dtype) for k, v in t.items()}


def by_mergekit(models, name, base, own, common):
    """In double precision, and then rounded: what is compared is the method, not mergekit's rounding on the way."""
    dtype = models["a"]["norm"].dtype
    parameters = dict(common, **{p: dict(zip(["a", "b", "c"], v)) for p, v in own.items()})
    with torch.no_grad():
        return merge_state_dicts(models, name, base=base, parameters=parameters, dtype=torch.float64, out_dtype=dtype)


def far_apart(a, b, ulp):
    """How many elements are more than one step apart; near 0 it is a step of the numbers, near 1, that were added up."""
    n = 0
    for k in a:
        x, y = a[k].double(), b[k].double()
        n += int(((x - y).abs() > ulp * torch.maximum(x.abs(), y.abs()) + 2.0**-23).sum())
    return n


ONE, TWO, THREE = ["a"], ["a", "b"], ["a", "b", "c"]
CASES = [
    ("linear", THREE, None, {"weight": [0.5, 0.3, 0.4]}, {}),
    ("linear", TWO, None, {"weight": [0.5, 0.3]}, {"normalize": False}),
    ("slerp", TWO, "a", {}, {"t": 0.3}),
    ("slerp", TWO, "b", {}, {"t": 0.9}),
    ("nuslerp", TWO, None, {"weight": [0.6, 0.2]}, {}),
    ("nuslerp", TWO, "base", {"weight": [0.6, 0.2]}, {}),
    ("nuslerp", TWO, None, {"weight": [0.6, 0.2]}, {"nuslerp_flatten": False}),
    ("nuslerp", TWO, None, {"weight": [0.6, 0.2]}, {"nuslerp_flatten": False, "nuslerp_row_wise": True}),
    ("nuslerp", TWO, "base", {"weight": [0.6, 0.2]}, {"nuslerp_flatten": False, "nuslerp_row_wise": True}),
    ("karcher", THREE, None, {}, {}),
    ("multislerp", THREE, None, {"weight": [0.5, 0.3, 0.4]}, {}),
    ("multislerp", THREE, "base", {"weight": [0.5, 0.3, 0.4]}, {}),
    ("task_arithmetic", THREE, "base", {"weight": [0.5, 0.3, -0.4]}, {"lambda": 0.7}),
    ("ties", THREE, "base", {"weight": [0.5, 0.3, 0.4], "density": [0.5, 0.3, 1.0]}, {}),
    ("ties", TWO, "base", {"weight": [0.5, 0.3], "density": [0.2, 0.2]}, {"normalize": False, "lambda": 1.3}),
    ("dare_linear", TWO, "base", {"weight": [0.5, 0.3], "density": [0.5, 0.3]}, {}),
    ("dare_ties", THREE, "base", {"weight": [0.5, 0.3, 0.4], "density": [0.5, 0.3, 0.9]}, {}),
    ("dare_linear", TWO, "base", {"weight": [0.5, 0.3], "density": [0.5, 0.3]}, {"rescale": False}),
    ("della", THREE, "base", {"weight": [0.5, 0.3, 0.4], "density": [0.5, 0.3, 0.7], "epsilon": [0.2, 0.2, 0.1]}, {}),
    ("della_linear", TWO, "base", {"weight": [0.5, 0.3], "density": [0.5, 0.4], "epsilon": [0.2, 0.2]}, {}),
    ("breadcrumbs", TWO, "base", {"weight": [0.5, 0.3], "density": [0.5, 0.4], "gamma": [0.05, 0.05]}, {}),
    ("breadcrumbs_ties", TWO, "base", {"weight": [0.5, 0.3], "density": [0.5, 0.4], "gamma": [0.05, 0.05]}, {}),
    ("sce", THREE, "base", {}, {"select_topk": 0.4}),
    ("sce", TWO, "base", {}, {}),
    ("model_stock", THREE, "base", {}, {}),
    ("model_stock", THREE, "base", {}, {"filter_wise": True}),
    ("nearswap", ONE, "base", {}, {"t": 0.05}),
    ("arcee_fusion", ONE, "base", {}, {}),
    ("ram", THREE, "base", {}, {"epsilon": 0.05}),
    ("ramplus_tl", THREE, "base", {}, {"epsilon": 0.05}),
    ("passthrough", ONE, None, {"scale": [1.5]}, {}),
]
# With what one step of the type is at most, as a share of the number.
TYPES = {"f32": (torch.float32, 2.0**-23), "bf16": (torch.bfloat16, 2.0**-7)}


def case(work, label, files, how):
    name, names, base, own, common = how
    dtype, ulp = TYPES[label]
    what = f"{label}: {name} of {len(names)}{' and a base' if base else ''} {json.dumps(common)}"
    if name not in KNOWN:
        print(f"# {what}: this mergekit has it not")
        return
    used = names if base in names or not base else names + [base]
    theirs = by_mergekit({m: load_file(files[m]) for m in used}, name, base, own, common)
    recipe = {"merge_method": name, "parameters": common, "seed": chance.seed, "models": [
        {"model": files[m], "parameters": {p: v[i] for p, v in own.items()}} for i, m in enumerate(names)]}
    if base:
        recipe["base_model"] = files[base]
    with open(f"{work}/r.yaml", "w", encoding="utf-8") as f:
        yaml.dump(recipe, f)
    r = run("varve", "merge", "-q", f"{work}/r.yaml", "-o", f"{work}/o.safetensors")
    if r.returncode:
        ok(False, what, r.stderr)
        return
    ours = load_file(f"{work}/o.safetensors")
    total = sum(v.numel() for v in ours.values())
    bad = far_apart(ours, theirs, ulp)
    # Of elements of one size, which are many in bf16, either may be kept where not all are.
    allowed = total // 20 if label == "bf16" and name.startswith(("ties", "bread", "della", "sce")) else 0
    ok(sorted(ours) == sorted(theirs) and bad <= allowed and all(ours[k].dtype == dtype for k in ours), what,
       f"{bad} of {total} differ")


# --- recipes, as mergekit-yaml runs them ---

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
          "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 4, "vocab_size": 64, "rms_norm_eps": 1e-6,
          "tie_word_embeddings": False, "torch_dtype": "float32", "max_position_embeddings": 64}
RECIPES = {
    "gradients and filters": """
models:
- {model: a, parameters: {weight: [0, 0.3, 1], density: 0.5}}
- {model: b, parameters: {weight: [{filter: mlp, value: [1, 0.2]}, {filter: self_attn, value: 0.4}, {value: 0.7}], density: [1, 0.25]}}
base_model: base
merge_method: ties
parameters: {normalize: true, int8_mask: true}
dtype: float32
""",
    "slerp by slices": """
slices:
- sources: [{model: a, layer_range: [0, 4]}, {model: b, layer_range: [0, 4]}]
merge_method: slerp
base_model: a
parameters: {t: [{filter: self_attn, value: [0, 0.5, 0.3, 0.7, 1]}, {filter: mlp, value: [1, 0.5, 0.7, 0.3, 0]}, {value: 0.5}]}
dtype: bfloat16
""",
    "layers stacked": """
slices:
- sources: [{model: a, layer_range: [0, 3]}]
- sources: [{model: b, layer_range: [1, 4], parameters: {scale: [{filter: o_proj, value: 0.5}, {value: 1}]}}]
merge_method: passthrough
dtype: float16
""",
    "weights of sources, slices and all": """
slices:
- sources:
  - {model: a, layer_range: [0, 2], parameters: {weight: 0.25}}
  - {model: b, layer_range: [2, 4]}
  parameters: {weight: 0.5}
- sources: [{model: b, layer_range: [0, 2]}, {model: a, layer_range: [0, 2], parameters: {weight: [0.2, 0.9]}}]
merge_method: linear
parameters: {weight: 1.5}
dtype: float32
""",
}


def llama(folder, seed, near=None):
    h, f, g = 32, 48, torch.Generator().manual_seed(seed)
    shapes = {"model.embed_tokens.weight": (64, h), "model.norm.weight": (h,), "lm_head.weight": (64, h)}
    for i in range(4):
        p = f"model.layers.{i}."
        shapes.update({p + f"self_attn.{x}_proj.weight": (h, h) for x in "qkvo"})
        shapes.update({p + "mlp.gate_proj.weight": (f, h), p + "mlp.up_proj.weight": (f, h), p + "mlp.down_proj.weight": (h, f),
                       p + "input_layernorm.weight": (h,), p + "post_attention_layernorm.weight": (h,)})
    t = {k: torch.randn(s, generator=g) for k, s in shapes.items()}
    t = {k: near[k] + v / 10 for k, v in t.items()} if near else t
    os.mkdir(folder)
    save_file(t, folder + "/model.safetensors", {"format": "pt"})
    with open(folder + "/config.json", "w", encoding="utf-8") as f:
        json.dump(CONFIG, f)
    return t


def recipes(work):
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge
    base = llama(f"{work}/base", 1)
    for i, m in enumerate("ab"):
        llama(f"{work}/{m}", 2 + i, base)
    for what, text in RECIPES.items():
        config = yaml.safe_load(text)
        ulp = {"bfloat16": 2.0**-7, "float16": 2.0**-10}.get(config["dtype"], 2.0**-22)
        with open(f"{work}/r.yaml", "w", encoding="utf-8") as f:
            f.write(text)
        os.chdir(work)
        r = run("varve", "merge", "-q", "r.yaml", "-o", f"{what}.safetensors")
        if r.returncode:
            ok(False, what, r.stderr)
            continue
        run_merge(MergeConfiguration.model_validate(config), f"{work}/{what}",
                  MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True))
        ours, theirs = load_file(f"{what}.safetensors"), {}
        for name in os.listdir(what):
            if name.endswith(".safetensors"):
                theirs.update(load_file(f"{what}/{name}"))
        same = sorted(ours) == sorted(theirs)
        # mergekit rounds in the type on its way, varve once: so the measure is the size of what was added up.
        bad = {k: int(((ours[k].double() - v.double()).abs() > 4 * ulp * (1 + v.double().abs())).sum()) for k, v in theirs.items()} if same else {}
        ok(same and sum(bad.values()) == 0 and all(ours[k].dtype == v.dtype for k, v in theirs.items()), what,
           {k: v for k, v in bad.items() if v} or sorted(set(ours) ^ set(theirs)))


def main():
    with tempfile.TemporaryDirectory() as work:
        for label, (dtype, _) in TYPES.items():
            base = model(1, dtype)
            files = {"base": f"{work}/{label}-base.safetensors"}
            save_file(base, files["base"])
            for i, m in enumerate(THREE):
                files[m] = f"{work}/{label}-{m}.safetensors"
                save_file(model(10 + i, dtype, base), files[m])
            for how in CASES:
                case(work, label, files, how)
        recipes(work)
    end()


main()
