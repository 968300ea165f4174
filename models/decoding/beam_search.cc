#include "models/decoding/beam_search.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "kernels/cpu/attention/decoding.h"
#include "models/decoding/beams.h"

namespace octet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
// Positions that the caches of a search begin with; they grow by doubling.
constexpr int64_t kFirstCapacity = 32;

int64_t vocab_of(const Model& model) {
  return model.topology().tables.front().rows;
}

void check(const Model& model, const GenerationConfig& config) {
  const int64_t vocab = vocab_of(model);
  std::vector<int64_t> ids = config.forbidden;
  ids.insert(ids.end(), {config.start, config.eos, config.forced_eos.value_or(0)});
  for (const int64_t id : ids) {
    if (id < 0 || id >= vocab) {
      throw Error(fmt::format("id {} in the generation settings", id),
                  fmt::format("ids below the vocabulary's {}", vocab),
                  "correct generation_config.json");
    }
  }
}

at::Tensor on_host(const std::vector<int64_t>& values) {
  return at::tensor(values, at::TensorOptions(at::kLong));
}

// The best continuations of each row, float32 and int64 [rows, count] on the host, best first.
struct Continuations {
  at::Tensor scores, ids;
};

// One decoder pass a call for all sentences still running.
class Search {
 public:
  Search(const Model& model, Executor& executor, const Batch& source,
         const GenerationConfig& config)
      : model_(model),
        executor_(executor),
        config_(config),
        batch_(source),
        state_(model.new_state(executor, source.ids.size(0) * config.beams,
                               std::min(kFirstCapacity, config.max_length))) {}

  // The best `count` continuations of each row behind the last ids, best first.
  Continuations next(const std::vector<int64_t>& last_ids, int64_t count) {
    state_.make_room(std::ssize(last_ids), config_.max_length);
    batch_.target_ids = on_host(last_ids).view({-1, 1}).to(executor_.options().device);
    at::Tensor logits = forward(model_, executor_, batch_, &state_, true).select(1, 0);
    batch_.ids.reset();  // the encoder's work is in the state from now on
    if (config_.forced_eos && state_.used + 1 == config_.max_length) {
      return only(*config_.forced_eos, logits.size(0), count);
    }
    return best_of(logits.to(at::kFloat).contiguous(), count);
  }

  // rows: of the running beams; sentences: of the source, empty when all stay.
  void keep(const std::vector<int64_t>& rows, const std::vector<int64_t>& sentences) {
    const at::Device device = executor_.options().device;
    std::vector<int64_t> same(rows.size());
    std::iota(same.begin(), same.end(), 0);
    if (rows != same || !sentences.empty()) state_.reorder(on_host(rows).to(device));
    if (sentences.empty()) return;
    const at::Tensor chosen = on_host(sentences).to(device);
    state_.reorder_memory(chosen);
    if (batch_.mask.defined()) batch_.mask = batch_.mask.to(device).index_select(0, chosen);
  }

 private:
  static Continuations only(int64_t id, int64_t rows, int64_t count) {
    Continuations made{at::full({rows, count}, kNever), at::zeros({rows, count}, at::kLong)};
    made.scores.select(1, 0).zero_();
    made.ids.select(1, 0).fill_(id);
    return made;
  }

  Continuations best_of(at::Tensor logits, int64_t count) const {
    if (!logits.is_cpu()) return best_on_device(logits, count);
    const int64_t rows = logits.size(0);
    Continuations made{at::empty({rows, count}, at::kFloat), at::empty({rows, count}, at::kLong)};
    cpu::top_log_probabilities(
        {logits.data_ptr<float>(), rows, logits.size(1), config_.forbidden.data(),
         std::ssize(config_.forbidden), config_.renormalize, count},
        made.scores.data_ptr<float>(), made.ids.data_ptr<int64_t>());
    return made;
  }

  Continuations best_on_device(const at::Tensor& logits, int64_t count) const {
    at::Tensor scores = at::log_softmax(logits, -1);
    for (const int64_t id : config_.forbidden) scores.select(1, id).fill_(kNever);
    if (config_.renormalize) scores = at::log_softmax(scores, -1);
    const auto [best, ids] = at::topk(scores, count);
    return {best.cpu().contiguous(), ids.cpu().contiguous()};
  }

  const Model& model_;
  Executor& executor_;
  const GenerationConfig& config_;
  Batch batch_;
  State state_;
};

// The 2 * beams best continuations of a sentence: of those of its beams, with the beams' sums
// added.
std::vector<Continuation> merged(const Continuations& best, int64_t sentence, const Beams& beams) {
  const int64_t count = best.scores.size(1), width = std::ssize(beams.scores());
  std::vector<Continuation> list;
  for (int64_t beam = 0; beam < width; ++beam) {
    const int64_t row = sentence * width + beam;
    const auto* score = best.scores.const_data_ptr<float>() + row * count;
    const auto* id = best.ids.const_data_ptr<int64_t>() + row * count;
    for (int64_t i = 0; i < count; ++i) {
      list.push_back({beam, id[i], score[i] + beams.scores()[static_cast<size_t>(beam)]});
    }
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const Continuation& a, const Continuation& b) { return a.score > b.score; });
  list.resize(std::min(list.size(), static_cast<size_t>(2 * width)));
  return list;
}

std::vector<Output> beam_search(Search& search, int64_t sentences, int64_t vocab,
                                const GenerationConfig& config) {
  std::vector<Output> outputs(sentences);
  std::vector<Beams> running(sentences, Beams(config));
  std::vector<int64_t> numbers(sentences);
  std::iota(numbers.begin(), numbers.end(), 0);
  while (!running.empty()) {
    std::vector<int64_t> ids;
    for (const Beams& beams : running) {
      const auto last = beams.last_ids();
      ids.insert(ids.end(), last.begin(), last.end());
    }
    const Continuations best = search.next(ids, std::min(2 * config.beams, vocab));
    std::vector<int64_t> rows, kept, still;
    std::vector<Beams> next;
    for (int64_t i = 0; i < std::ssize(running); ++i) {
      const auto parents = running[i].advance(merged(best, i, running[i]));
      if (running[i].done()) {
        outputs[numbers[i]] = running[i].best();
        continue;
      }
      for (const int64_t parent : parents) rows.push_back(i * config.beams + parent);
      kept.push_back(i);
      still.push_back(numbers[i]);
      next.push_back(std::move(running[i]));
    }
    if (!next.empty()) {
      search.keep(rows, next.size() < running.size() ? kept : std::vector<int64_t>());
    }
    running = std::move(next);
    numbers = std::move(still);
  }
  return outputs;
}

std::vector<Output> greedy_search(Search& search, int64_t sentences,
                                  const GenerationConfig& config) {
  std::vector<Output> outputs(sentences, Output{{}, 0});
  std::vector<int64_t> running(sentences), ids(sentences, config.start);
  std::iota(running.begin(), running.end(), 0);
  while (!running.empty()) {
    const auto [scores, chosen] = search.next(ids, 1);
    std::vector<int64_t> kept, still;
    ids.clear();
    for (int64_t i = 0; i < std::ssize(running); ++i) {
      Output& output = outputs[running[i]];
      output.ids.push_back(chosen.const_data_ptr<int64_t>()[i]);
      output.score += scores.const_data_ptr<float>()[i];
      if (output.ids.back() == config.eos || std::ssize(output.ids) + 1 >= config.max_length) {
        continue;
      }
      ids.push_back(output.ids.back());
      kept.push_back(i);
      still.push_back(running[i]);
    }
    if (!kept.empty() && kept.size() < running.size()) search.keep(kept, kept);
    running = std::move(still);
  }
  return outputs;
}

}  // namespace

std::vector<Output> generate(const Model& model, Executor& executor, const Batch& source,
                             const GenerationConfig& config) {
  check(model, config);
  const at::NoGradGuard no_gradients;
  Search search(model, executor, source, config);
  const int64_t sentences = source.ids.size(0);
  if (sentences == 0) return {};
  return config.beams == 1 ? greedy_search(search, sentences, config)
                           : beam_search(search, sentences, vocab_of(model), config);
}

}  // namespace octet
