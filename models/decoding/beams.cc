#include "models/decoding/beams.h"

#include <algorithm>
#include <cmath>

namespace octet {

// Later beams start far below the first, so that the first step does not choose the same id again
// from each of them.
Beams::Beams(const GenerationConfig& config)
    : config_(config), running_(config.beams), scores_(config.beams, -1e9F) {
  scores_.front() = 0;
}

std::vector<int64_t> Beams::last_ids() const {
  std::vector<int64_t> ids;
  for (const auto& beam : running_) ids.push_back(beam.empty() ? config_.start : beam.back());
  return ids;
}

void Beams::complete(const Continuation& candidate) {
  const auto length =
      static_cast<float>(std::pow(static_cast<double>(length_ + 1), config_.length_penalty));
  Output output{running_[candidate.beam], candidate.score / length};
  output.ids.push_back(candidate.id);
  const auto place =
      std::upper_bound(complete_.begin(), complete_.end(), output,
                       [](const Output& a, const Output& b) { return a.score > b.score; });
  complete_.insert(place, std::move(output));
  if (std::ssize(complete_) > config_.beams) complete_.pop_back();
}

bool Beams::can_improve() const {
  if (std::ssize(complete_) < config_.beams) return true;
  if (config_.early_stopping) return false;
  const auto length =
      static_cast<float>(std::pow(static_cast<double>(length_), config_.length_penalty));
  return scores_.front() / length > static_cast<float>(complete_.back().score);
}

std::vector<int64_t> Beams::advance(std::span<const Continuation> candidates) {
  const bool last = length_ + 2 >= config_.max_length;  // the start token counts
  std::vector<std::vector<int64_t>> next;
  std::vector<float> scores;
  std::vector<int64_t> parents;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Continuation& candidate = candidates[i];
    if (last || candidate.id == config_.eos) {
      if (static_cast<int64_t>(i) < config_.beams) complete(candidate);
      continue;
    }
    if (std::ssize(next) == config_.beams) continue;
    next.push_back(running_[candidate.beam]);
    next.back().push_back(candidate.id);
    scores.push_back(candidate.score);
    parents.push_back(candidate.beam);
  }
  running_ = std::move(next);
  scores_ = std::move(scores);
  ++length_;
  done_ = last || !can_improve();
  return parents;
}

Output Beams::best() const {
  return complete_.front();
}

}  // namespace octet
