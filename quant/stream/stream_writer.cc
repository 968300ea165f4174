#include "quant/stream/stream_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <fstream>
#include <future>

#include "core/error.h"
#include "core/hash.h"
#include "core/io/pool.h"
#include "core/io/ring.h"
#include "quant/stream/slab.h"

namespace octet {
namespace {

constexpr int kIoThreads = 4;
constexpr int kBuffers = 12, kFewestBuffers = 4;
constexpr size_t kBufferBytes = size_t{20} << 20, kSmallestBuffer = size_t{1} << 20;
constexpr uint64_t kSlack = uint64_t{64} << 20;  // headers, the journal, what malloc holds back

// What the process occupies before any buffer is made.
uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

BufferRing make_ring(uint64_t max_memory) {
  const uint64_t used = resident_bytes() + kSlack;
  const uint64_t budget = max_memory > used ? max_memory - used : 0;
  if (budget < kFewestBuffers * kSmallestBuffer) {
    throw UsageError(
        fmt::format("--max-memory of {} MiB", max_memory >> 20),
        fmt::format("at least {} MiB", ((used + kFewestBuffers * kSmallestBuffer) >> 20) + 1),
        "raise it");
  }
  const uint64_t count = std::clamp<uint64_t>(budget / kBufferBytes, kFewestBuffers, kBuffers);
  return {static_cast<int>(count), std::min<size_t>(kBufferBytes, budget / count)};
}

// An item between its first read and its last write.
struct OpenItem {
  OpenItem(const StreamItem& item, const TensorInfo& info, size_t buffer_bytes)
      : item(item), tensors(item_tensors(item, info)), cutter(item, info, buffer_bytes) {
    for (size_t i = 0; i < cutter.pieces(); ++i) hashes.emplace_back();
    // Each slab is written in pieces and hashed once.
    tasks = cutter.slabs() * static_cast<int64_t>(cutter.pieces() + 1);
  }
  const StreamItem& item;
  std::vector<TensorInfo> tensors;
  SlabCutter cutter;
  std::shared_ptr<const TensorReader> reader;
  std::vector<Sha256> hashes;
  std::atomic<int64_t> tasks;
};

struct Slab {
  std::shared_ptr<OpenItem> open;
  int64_t number;
  BufferRing::Buffer buffer;
  std::future<void> read;
};

class Stream {
 public:
  Stream(TensorSource& source, const std::vector<StreamItem>& items, ShardedOutput& output,
         StreamLedger& ledger, uint64_t max_memory)
      : source_(source),
        items_(items),
        output_(output),
        ledger_(ledger),
        ring_(make_ring(max_memory)),
        pool_(kIoThreads) {}

  /// done(bytes, resumed): so much of the source is read and converted.
  template <typename Done>
  void run(const StopToken& stop, const Done& done) {
    while (read_ahead(done)) {
      stop.check("run the same command again to go on");
      Slab slab = std::move(pending_.front());
      pending_.pop_front();
      slab.read.wait();
      pool_.check();
      done(convert(slab), false);
      if (ledger_.due() && !flushing_.exchange(true)) {
        pool_.submit([this] {
          ledger_.flush();
          flushing_ = false;
        });
      }
    }
    pool_.drain();
    ledger_.flush();
  }

 private:
  // Begins reads while buffers are free. False when nothing is left to convert.
  template <typename Done>
  bool read_ahead(const Done& done) {
    while (open_next(done)) {
      BufferRing::Buffer buffer = pending_.empty() ? ring_.acquire() : ring_.try_acquire();
      if (buffer == nullptr) return true;
      Slab slab{open_, next_slab_++, std::move(buffer), {}};
      auto finished = std::make_shared<std::promise<void>>();
      slab.read = finished->get_future();
      pool_.submit([open = slab.open, number = slab.number, buffer = slab.buffer, finished] {
        const SlabCutter& cutter = open->cutter;
        open->reader->read(cutter.offset(number), cutter.input(number, buffer.get()));
        finished->set_value();
      });
      pending_.push_back(std::move(slab));
    }
    return !pending_.empty();
  }

  // Makes open_ an item with slabs left to read; false at the end.
  template <typename Done>
  bool open_next(const Done& done) {
    while (open_ == nullptr || next_slab_ == open_->cutter.slabs()) {
      if (next_item_ == items_.size()) return false;
      const StreamItem& item = items_[next_item_++];
      const TensorInfo& info = source_.info(item.source);
      if (ledger_.has(item.target)) {
        done(byte_count(info), true);
        continue;
      }
      open_ = std::make_shared<OpenItem>(item, info, ring_.bytes());
      open_->reader = source_.open(item.source);
      next_slab_ = 0;
      if (open_->cutter.slabs() == 0) finish(*open_);
    }
    return true;
  }

  // Returns the bytes of the source that are converted now.
  uint64_t convert(Slab& slab) {
    const std::shared_ptr<OpenItem> open = slab.open;
    const std::vector<Piece> pieces = open->cutter.convert(slab.number, slab.buffer.get());
    for (const Piece& piece : pieces) {
      pool_.submit([this, open, piece, buffer = slab.buffer] {
        output_.write(open->tensors[piece.tensor].name, piece.offset, piece.bytes);
        count_down(*open);
      });
    }
    pool_.submit_in_order([this, open, pieces, buffer = slab.buffer] {
      for (const Piece& piece : pieces) open->hashes[piece.tensor].update(piece.bytes);
      count_down(*open);
    });
    return open->cutter.input(slab.number, slab.buffer.get()).size();
  }

  void count_down(OpenItem& open) {
    if (--open.tasks == 0) finish(open);
  }

  void finish(OpenItem& open) {
    TensorHashes hashes;
    for (size_t i = 0; i < open.hashes.size(); ++i) {
      hashes[open.tensors[i].name] = open.hashes[i].hex();
    }
    for (const ConstantTensor& constant : open.item.constants) {
      output_.write(constant.info.name, 0, std::as_bytes(std::span(constant.bytes)));
      hashes[constant.info.name] = sha256(constant.bytes);
    }
    ledger_.finish(open.item.target, hashes);
  }

  TensorSource& source_;
  const std::vector<StreamItem>& items_;
  ShardedOutput& output_;
  StreamLedger& ledger_;
  BufferRing ring_;
  std::deque<Slab> pending_;
  std::shared_ptr<OpenItem> open_;
  size_t next_item_ = 0;
  int64_t next_slab_ = 0;
  std::atomic<bool> flushing_{false};
  TaskPool pool_;  // last: its threads end before what they use goes
};

int64_t mebibytes(uint64_t bytes) {
  return static_cast<int64_t>(bytes >> 20);
}

}  // namespace

StreamResult write_stream(const std::filesystem::path& directory, TensorSource& source,
                          const std::vector<StreamItem>& items, const StreamOptions& options,
                          Context& context) {
  std::vector<TensorInfo> tensors;
  uint64_t total = 0, converted = 0;
  for (const StreamItem& item : items) {
    const TensorInfo& info = source.info(item.source);
    for (TensorInfo& made : item_tensors(item, info)) tensors.push_back(std::move(made));
    total += byte_count(info);
  }
  ShardedOutput output(directory, tensors, options.shard_bytes);
  StreamLedger ledger(directory / kStreamJournal, output);
  StreamResult result;
  for (const StreamItem& item : items) result.resumed += ledger.has(item.target) ? 1 : 0;
  if (result.resumed > 0) {
    context.log.info(
        fmt::format("going on: {} of {} tensors are finished", result.resumed, items.size()));
  }
  Progress progress(context.log, "quantize (MiB)", std::max<int64_t>(1, mebibytes(total)));
  const auto done = [&](uint64_t bytes, bool resumed) {
    const int64_t before = mebibytes(converted);
    converted += bytes;
    progress.advance(mebibytes(converted) - before, resumed);
  };
  try {
    Stream(source, items, output, ledger, options.max_memory).run(context.stop, done);
  } catch (...) {
    // What is finished by now need not be done again. The first failure is the one to report.
    try {
      ledger.flush();
    } catch (const Error&) {
    }
    throw;
  }
  output.write_index();
  result.hashes = ledger.hashes();
  for (const TensorInfo& info : tensors) result.files[info.name] = output.file_of(info.name);
  return result;
}

}  // namespace octet
