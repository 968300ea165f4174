// Bookkeeping of one sentence's beams, on the host.
#pragma once
#include <span>
#include <vector>

#include "models/decoding/beam_search.h"

namespace octet {

/// A continuation: beam it extends (0 .. beams - 1), next id, sum of log-probabilities.
struct Continuation {
  int64_t beam, id;
  float score;
};

/// Hypotheses of one sentence. Scores are float32, as in transformers.
class Beams {
 public:
  explicit Beams(const GenerationConfig& config);

  /// Takes the 2 * beams best continuations, best first. EOS among the first `beams` completes a
  /// hypothesis; the best `beams` others run on. Returns the beam that each of those extends.
  std::vector<int64_t> advance(std::span<const Continuation> candidates);
  bool done() const { return done_; }
  Output best() const;

  const std::vector<float>& scores() const { return scores_; }  ///< of the running beams
  std::vector<int64_t> last_ids() const;

 private:
  void complete(const Continuation& candidate);
  bool can_improve() const;
  const GenerationConfig& config_;
  int64_t length_ = 0;  // ids of each running beam
  std::vector<std::vector<int64_t>> running_;
  std::vector<float> scores_;
  std::vector<Output> complete_;  // best first, at most `beams`
  bool done_ = false;
};

}  // namespace octet
