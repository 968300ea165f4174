#include "quant/stream/stream_ledger.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace octet {
namespace {

// Between flushes: about so much work is lost by a kill, beside what the disk is behind.
constexpr std::chrono::milliseconds kFlushTime{250};

struct Entry {
  std::string item;
  TensorHashes hashes;
};

bool parse(const std::string& line, Entry& entry) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("item") || !json.contains("sha256")) return false;
  try {
    entry = {json["item"].get<std::string>(), json["sha256"].get<TensorHashes>()};
  } catch (const nlohmann::json::exception&) {
    return false;
  }
  return true;
}

}  // namespace

StreamLedger::StreamLedger(const std::filesystem::path& journal, const ShardedOutput& output)
    : output_(output), journal_(journal) {
  size_t sound = 0;
  Entry entry;
  while (output.resumed() && sound < journal_.lines().size() &&
         parse(journal_.lines()[sound], entry)) {
    resumed_.insert(entry.item);
    hashes_.merge(entry.hashes);
    ++sound;
  }
  if (sound < journal_.lines().size()) journal_.keep(sound);
}

void StreamLedger::finish(const std::string& item, const TensorHashes& hashes) {
  const nlohmann::json line = {{"item", item}, {"sha256", hashes}};
  const std::lock_guard lock(mutex_);
  waiting_.push_back(line.dump());
  hashes_.insert(hashes.begin(), hashes.end());
}

bool StreamLedger::due() const {
  const std::lock_guard lock(mutex_);
  return !waiting_.empty() && std::chrono::steady_clock::now() - flushed_ >= kFlushTime;
}

void StreamLedger::flush() {
  std::vector<std::string> lines;
  {
    const std::lock_guard lock(mutex_);
    lines = std::exchange(waiting_, {});
  }
  output_.sync();
  journal_.append(lines);
  const std::lock_guard lock(mutex_);
  flushed_ = std::chrono::steady_clock::now();
}

TensorHashes StreamLedger::hashes() const {
  const std::lock_guard lock(mutex_);
  return hashes_;
}

}  // namespace octet
