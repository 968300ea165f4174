#include "models/decoding/beam_search.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "core/error.h"
#include "models/decoding/beams.h"

namespace octet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
// Positions that the caches of a search begin with; they grow by doubling.
constexpr int64_t kFirstCapacity = 32;

void check(const Model& model, const GenerationConfig& config) {
  const int64_t vocab = model.topology().tables.front().rows;
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

  // Log-probabilities after the last ids, float32 [rows, vocab].
  at::Tensor next(const std::vector<int64_t>& last_ids) {
    if (!state_.self.empty() && state_.used == state_.self.front().k.size(2)) {
      state_.grow(std::min(2 * state_.used, config_.max_length));
    }
    batch_.target_ids = on_host(last_ids).view({-1, 1}).to(executor_.options().device);
    at::Tensor logits = forward(model_, executor_, batch_, &state_, true).select(1, 0);
    batch_.ids.reset();  // the encoder's work is in the state from now on
    return restricted(at::log_softmax(logits.to(at::kFloat), -1));
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
  at::Tensor restricted(at::Tensor scores) const {
    if (config_.forced_eos && state_.used + 1 == config_.max_length) {
      scores.fill_(kNever);
      scores.select(1, *config_.forced_eos).zero_();
      return scores;
    }
    for (const int64_t id : config_.forbidden) scores.select(1, id).fill_(kNever);
    return config_.renormalize ? at::log_softmax(scores, -1) : scores;
  }

  const Model& model_;
  Executor& executor_;
  const GenerationConfig& config_;
  Batch batch_;
  State state_;
};

// best [sentences, n] values and flat places in beams * vocab, on the host.
struct Candidates {
  at::Tensor scores, places;
  int64_t vocab;
  std::vector<Continuation> of(int64_t sentence) const {
    std::vector<Continuation> list;
    const auto* score = scores.const_data_ptr<float>() + sentence * scores.size(1);
    const auto* place = places.const_data_ptr<int64_t>() + sentence * scores.size(1);
    for (int64_t i = 0; i < scores.size(1); ++i) {
      list.push_back({place[i] / vocab, place[i] % vocab, score[i]});
    }
    return list;
  }
};

Candidates best_continuations(const at::Tensor& log_probabilities, const std::vector<float>& sums,
                              int64_t beams) {
  const int64_t vocab = log_probabilities.size(1);
  const at::Tensor before =
      at::tensor(sums, at::TensorOptions(at::kFloat)).to(log_probabilities.device());
  const at::Tensor total = (log_probabilities + before.unsqueeze(1)).view({-1, beams * vocab});
  const auto [scores, places] = at::topk(total, std::min(2 * beams, beams * vocab));
  return {scores.cpu().contiguous(), places.cpu().contiguous(), vocab};
}

std::vector<Output> beam_search(Search& search, int64_t sentences, const GenerationConfig& config) {
  std::vector<Output> outputs(sentences);
  std::vector<Beams> running(sentences, Beams(config));
  std::vector<int64_t> numbers(sentences);
  std::iota(numbers.begin(), numbers.end(), 0);
  while (!running.empty()) {
    std::vector<int64_t> ids;
    std::vector<float> sums;
    for (const Beams& beams : running) {
      const auto last = beams.last_ids();
      ids.insert(ids.end(), last.begin(), last.end());
      sums.insert(sums.end(), beams.scores().begin(), beams.scores().end());
    }
    const Candidates best = best_continuations(search.next(ids), sums, config.beams);
    std::vector<int64_t> rows, kept, still;
    std::vector<Beams> next;
    for (int64_t i = 0; i < std::ssize(running); ++i) {
      const auto parents = running[i].advance(best.of(i));
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
    const auto [score, id] = at::max(search.next(ids), 1);
    const at::Tensor scores = score.cpu(), chosen = id.cpu();
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
                           : beam_search(search, sentences, config);
}

}  // namespace octet
