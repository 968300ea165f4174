#include "core/available_memory.h"

#include <gtest/gtest.h>

#include "tests/core/support.h"

namespace octet::testing {
namespace {

/// A tree of proc/ and sys/ with 8000 kB available.
struct Machine {
  Machine() {
    write("proc/meminfo", "MemTotal:       16000 kB\nMemFree: 10 kB\nMemAvailable:    8000 kB\n");
  }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder / path).parent_path());
    put(folder / path, text);
  }
  uint64_t available() const { return available_memory(folder.path()); }
  TempDir folder;
};

TEST(AvailableMemory, IsTheKernelsWithoutGroups) {
  Machine machine;
  EXPECT_EQ(machine.available(), 8000u * 1024);
  machine.write("proc/self/cgroup", "0::/\n4:memory:/\nnonsense\n");
  EXPECT_EQ(machine.available(), 8000u * 1024);
  machine.write("proc/meminfo", "MemTotal: 16000 kB\n");
  EXPECT_EQ(machine.available(), 0u) << "an old kernel";
}

TEST(AvailableMemory, IsWhatTheTightestGroupLeaves) {
  Machine machine;
  machine.write("proc/self/cgroup", "0::/pod/app\n");
  machine.write("sys/fs/cgroup/pod/app/memory.max", "max\n");
  machine.write("sys/fs/cgroup/pod/app/memory.current", "1000\n");
  machine.write("sys/fs/cgroup/pod/memory.max", "50000\n");
  machine.write("sys/fs/cgroup/pod/memory.current", "30000\n");
  EXPECT_EQ(machine.available(), 20000u);
  machine.write("sys/fs/cgroup/pod/memory.stat", "file 9000\ninactive_file 4000\n");
  EXPECT_EQ(machine.available(), 24000u) << "page cache can be dropped";
  machine.write("sys/fs/cgroup/pod/memory.current", "60000\n");
  EXPECT_EQ(machine.available(), 0u);
}

TEST(AvailableMemory, ReadsVersionOneInsideAContainer) {
  Machine machine;
  machine.write("proc/self/cgroup", "5:cpu,memory:/host/only\n0::/\n");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "7000\n");
  machine.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "3000\n");
  machine.write("sys/fs/cgroup/memory/memory.stat", "inactive_file 9\ntotal_inactive_file 500\n");
  EXPECT_EQ(machine.available(), 4500u);
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(machine.available(), 8000u * 1024);
}

TEST(AvailableMemory, OfThisMachineIsSomething) {
  EXPECT_GT(available_memory(), uint64_t{1} << 20);
}

}  // namespace
}  // namespace octet::testing
