#include "models/modules_by_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "kernels/cpu/weights/block_scales.h"

namespace octet {
namespace {

using Words = std::vector<std::string_view>;

// Each row: projections that read one input where they stand under one parent, and the name of
// their site; a projection that stands alone has a row of its own.
struct Group {
  std::string_view site;
  std::array<std::string_view, 3> members;
};
constexpr std::array kGroups = {
    // Llama, Qwen, Mistral, Phi, OPT, BART, CLIP; Phi-3 fused; GPT-NeoX, Falcon and BLOOM fused
    Group{"qkv_proj", {"q_proj", "k_proj", "v_proj"}},
    Group{"o_proj", {"o_proj"}},
    Group{"out_proj", {"out_proj"}},
    Group{"qkv_proj", {"qkv_proj"}},
    Group{"query_key_value", {"query_key_value"}},
    Group{"gate_up_proj", {"gate_proj", "up_proj"}},
    Group{"gate_up_proj", {"gate_up_proj"}},
    Group{"down_proj", {"down_proj"}},
    Group{"fc1", {"fc1"}},
    Group{"fc2", {"fc2"}},
    Group{"dense_h_to_4h", {"dense_h_to_4h"}},
    Group{"dense_4h_to_h", {"dense_4h_to_h"}},
    // Mixtral's experts
    Group{"w13", {"w1", "w3"}},
    Group{"w2", {"w2"}},
    // DeepSeek-V2 and V3: attention through low-rank latents
    Group{"qkv_a_proj", {"q_a_proj", "kv_a_proj_with_mqa"}},
    Group{"q_b_proj", {"q_b_proj"}},
    Group{"kv_b_proj", {"kv_b_proj"}},
    // BERT, RoBERTa, ViT; T5
    Group{"qkv", {"query", "key", "value"}},
    Group{"dense", {"dense"}},
    Group{"qkv", {"q", "k", "v"}},
    Group{"o", {"o"}},
    Group{"wi_01", {"wi_0", "wi_1"}},
    Group{"wi", {"wi"}},
    Group{"wo", {"wo"}},
};

const Group* group_of(std::string_view projection) {
  const auto found = std::ranges::find_if(kGroups, [&](const Group& group) {
    return !projection.empty() &&
           std::ranges::find(group.members, projection) != group.members.end();
  });
  return found == kGroups.end() ? nullptr : &*found;
}

Words split(std::string_view name) {
  Words words;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    words.push_back(name.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool is_number(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

bool any_of(const Words& words, const std::set<std::string_view>& names) {
  return std::ranges::any_of(words, [&](std::string_view word) { return names.contains(word); });
}

bool contains(std::string_view word, std::string_view part) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::search(word.begin(), word.end(), part.begin(), part.end(), same) != word.end();
}

// Why a module of that name is kept although its weight is a matrix; empty for projections.
std::string reason_by_name(const Words& module) {
  static const std::set<std::string_view> heads = {"lm_head",    "embed_out", "score", "cls",
                                                   "classifier", "head",      "pooler"};
  static const std::set<std::string_view> routers = {"gate", "router", "shared_expert_gate"};
  const std::string_view last = module.back();
  if (any_of(module, heads)) return "head";
  if (contains(last, "position") || contains(last, "pos_emb") || last == "wpe" ||
      contains(last, "relative_attention_bias")) {
    return "position table";
  }
  if (contains(last, "embed") || last == "wte" || last == "shared") return "embedding";
  if (contains(last, "norm")) return "norm";
  if (routers.contains(last) || any_of(module, {"router"})) return "router";
  return group_of(last) == nullptr ? "not a listed projection name" : "";
}

class Builder {
 public:
  explicit Builder(const std::vector<TensorInfo>& tensors) {
    for (const TensorInfo& info : tensors) infos_[info.name] = &info;
    for (const TensorInfo& info : tensors) find_block_scale(info);
    for (const TensorInfo& info : tensors) {
      if (!scales_.contains(info.name)) place(info);
    }
  }
  ModulesByName take() { return std::move(made_); }

 private:
  void find_block_scale(const TensorInfo& info) {
    if (info.dtype != Dtype::kF8E4M3 || info.shape.size() != 2) return;
    const auto found = infos_.find(info.name + "_scale_inv");
    if (found == infos_.end()) return;
    const auto blocks = [](int64_t size) { return cpu::scale_blocks(size); };
    const std::vector<int64_t> shape = {blocks(info.shape[0]), blocks(info.shape[1])};
    if (found->second->dtype != Dtype::kF32 || found->second->shape != shape) return;
    made_.block_scales[info.name] = found->second->name;
    scales_.insert(found->second->name);
  }

  // Why the tensor is kept; empty when it is a projection's weight.
  std::string reason(const TensorInfo& info, const Words& words) const {
    if (words.back() == "bias") return "bias";
    if (words.back() != "weight" || words.size() < 2) return "not a weight";
    const Words module(words.begin(), words.end() - 1);
    if (info.shape.size() == 1) return contains(module.back(), "norm") ? "norm" : "one-dimensional";
    if (info.shape.size() != 2) return fmt::format("{} dimensions", info.shape.size());
    std::string by_name = reason_by_name(module);
    if (!by_name.empty()) return by_name;
    if (info.shape[0] == 0 || info.shape[1] == 0) return "empty";
    const bool is_float = info.dtype == Dtype::kF16 || info.dtype == Dtype::kBF16 ||
                          info.dtype == Dtype::kF32 || made_.block_scales.contains(info.name);
    if (is_float) return "";
    return info.dtype == Dtype::kF8E4M3
               ? "F8_E4M3 without F32 factors of 128 x 128 blocks in weight_scale_inv"
               : fmt::format("stored as {}", name(info.dtype));
  }

  void place(const TensorInfo& info) {
    const Words words = split(info.name);
    const std::string why = reason(info, words);
    if (why.empty()) {
      add_module(info, words);
      return;
    }
    const bool matrix = words.back() == "weight" && info.shape.size() == 2 && why != "embedding" &&
                        why != "position table";
    made_.kept.push_back({info.name, why, matrix});
  }

  void add_module(const TensorInfo& info, const Words& words) {
    const std::string module = info.name.substr(0, info.name.rfind('.'));
    const size_t dot = module.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : module.substr(0, dot + 1);
    const std::string site = parent + std::string(group_of(words[words.size() - 2])->site);
    const Matrix matrix{module, info.shape[0], info.shape[1], infos_.contains(module + ".bias")};
    auto& sites = made_.topology.sites;
    const auto [known, is_new] = sites_.try_emplace({site, matrix.k}, sites.size());
    if (!is_new) {
      sites[known->second].matrices.push_back(matrix);
      return;
    }
    const int block = block_of(words);
    made_.topology.blocks = std::max(made_.topology.blocks, block + 1);
    sites.push_back({block, site, {matrix}, ""});
  }

  static int block_of(const Words& words) {
    const auto found = std::ranges::find_if(words, is_number);
    if (found == words.end() || found->size() > 6) return 0;
    return std::stoi(std::string(*found));
  }

  std::map<std::string_view, const TensorInfo*> infos_;
  std::set<std::string_view> scales_;
  std::map<std::pair<std::string, int64_t>, size_t> sites_;  // by name and K
  ModulesByName made_;
};

}  // namespace

std::span<const std::string_view> projection_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Group& group : kGroups) {
      std::ranges::copy_if(group.members, std::back_inserter(all),
                           [](std::string_view name) { return !name.empty(); });
    }
    return all;
  }();
  return names;
}

ModulesByName modules_by_name(const std::vector<TensorInfo>& tensors) {
  return Builder(tensors).take();
}

ModulesByName modules_by_name(const Checkpoint& checkpoint) {
  std::vector<TensorInfo> tensors;
  for (const auto& [name, location] : checkpoint.tensors()) {
    tensors.push_back(location.entry.info);
  }
  return modules_by_name(tensors);
}

std::string name_pattern(std::string_view name) {
  std::string pattern;
  for (const std::string_view word : split(name)) {
    pattern += pattern.empty() ? "" : ".";
    pattern += is_number(word) ? "*" : word;
  }
  return pattern;
}

}  // namespace octet
