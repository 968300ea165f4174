// Who a process is among those started together, by each launcher's variables.
#include "tools/process_group.h"

#include <gtest/gtest.h>

#include <map>

#include "core/error.h"

namespace octet::test {
namespace {

using Variables = std::map<std::string, std::string>;

ProcessGroupOptions group(const Variables& variables) {
  return process_group_from([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(ProcessGroup, IsOneProcessWithoutALauncher) {
  EXPECT_EQ(group({}).size, 1);
  EXPECT_EQ(group({{"JOB_COMPLETION_INDEX", "3"}}).rank, 0) << "a Job of single processes";
  // A batch script of Slurm, which no srun has started.
  EXPECT_EQ(group({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}).size, 1);
}

TEST(ProcessGroup, ReadsTorchrun) {
  const ProcessGroupOptions w = group({{"WORLD_SIZE", "8"},
                                       {"RANK", "5"},
                                       {"LOCAL_RANK", "1"},
                                       {"MASTER_ADDR", "head"},
                                       {"MASTER_PORT", "1234"},
                                       {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                       {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_EQ(w.size, 8);
  EXPECT_EQ(w.rank, 5);
  EXPECT_EQ(w.local_rank, 1);
  EXPECT_EQ(w.address, "head");
  EXPECT_EQ(w.port, 1234);
  EXPECT_TRUE(w.hosted);
  EXPECT_EQ(w.attempt, 2);
  EXPECT_FALSE(group({{"TORCHELASTIC_USE_AGENT_STORE", "False"}}).hosted);
}

TEST(ProcessGroup, ReadsSlurmOpenMpiAndKubernetes) {
  const auto slurm = [](const char* hosts) {
    return group({{"SLURM_STEP_NUM_TASKS", "4"},
                  {"SLURM_PROCID", "3"},
                  {"SLURM_LOCALID", "1"},
                  {"SLURM_STEP_NODELIST", hosts}});
  };
  EXPECT_EQ(slurm("gpu[03-05,9],login").rank, 3);
  EXPECT_EQ(slurm("gpu[03-05,9],login").local_rank, 1);
  EXPECT_EQ(slurm("gpu[03-05,9],login").address, "gpu03");
  EXPECT_EQ(slurm("gpu[7,9]").address, "gpu7");
  EXPECT_EQ(slurm("login,gpu[03-05]").address, "login");
  EXPECT_EQ(slurm("alone").address, "alone");
  const ProcessGroupOptions mpi = group({{"OMPI_COMM_WORLD_SIZE", "2"},
                                         {"OMPI_COMM_WORLD_RANK", "1"},
                                         {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}});
  EXPECT_EQ(mpi.size, 2);
  EXPECT_EQ(mpi.rank, 1);
  const ProcessGroupOptions job =
      group({{"WORLD_SIZE", "4"}, {"JOB_COMPLETION_INDEX", "2"}, {"MASTER_ADDR", "train-0.train"}});
  EXPECT_EQ(job.rank, 2);
  EXPECT_EQ(job.address, "train-0.train");
}

TEST(ProcessGroup, RefusesWhatIsNoNumber) {
  EXPECT_THROW(group({{"WORLD_SIZE", "two"}}), UsageError);
  EXPECT_THROW(group({{"WORLD_SIZE", "2"}, {"RANK", "-1"}}), UsageError);
}

}  // namespace
}  // namespace octet::test
