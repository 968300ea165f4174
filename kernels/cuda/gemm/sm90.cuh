// W8A8 GEMM on Hopper's wgmma. Swapped: the weight rows are the M of the tile and the tokens its N,
// so that few tokens waste no part of the 64 rows an instruction has.
#pragma once
#include <cutlass/cutlass.h>
#include <cutlass/gemm/device/gemm_universal_adapter.h>
#include <cute/tensor.hpp>
#include <cutlass/epilogue/collective/collective_builder.hpp>
#include <cutlass/gemm/collective/collective_builder.hpp>
#include <cutlass/gemm/kernel/gemm_universal.hpp>
#include <cutlass/util/packed_stride.hpp>

#include "kernels/cuda/common.cuh"
#include "kernels/cuda/gemm/epilogue.cuh"
#include "kernels/cuda/gemm/int8_gemm.h"

namespace octet::cuda {

using Cooperative = cutlass::gemm::KernelTmaWarpSpecializedCooperative;
using Pingpong = cutlass::gemm::KernelTmaWarpSpecializedPingpong;

template <int kM, int kN, int kK, int kClusterM, int kClusterN, class Schedule, bool kSwap,
          bool kSplit>
struct Sm90Gemm {
  using Tile = cute::Shape<cute::Int<kM>, cute::Int<kN>, cute::Int<kK>>;
  using Cluster = cute::Shape<cute::Int<kClusterM>, cute::Int<kClusterN>, cute::_1>;
  static constexpr bool kCooperative = cute::is_same_v<Schedule, Cooperative>;
  using EpilogueSchedule =
      std::conditional_t<kCooperative, cutlass::epilogue::TmaWarpSpecializedCooperative,
                         cutlass::epilogue::TmaWarpSpecialized>;
  using Half = cutlass::half_t;
  using LayoutD =
      std::conditional_t<kSwap, cutlass::layout::ColumnMajor, cutlass::layout::RowMajor>;

  template <class Mode>
  using AlongM = cutlass::epilogue::fusion::Sm90ColBroadcast<0, Tile, float, float,
                                                             cute::Stride<Mode, cute::_0, int64_t>>;
  template <class Mode>
  using AlongN = cutlass::epilogue::fusion::Sm90RowBroadcast<0, Tile, float, float,
                                                             cute::Stride<cute::_0, Mode, int64_t>>;
  // The vector of tokens may be a scalar, so its stride is known at run time.
  using RowScale = std::conditional_t<kSwap, AlongN<bool>, AlongM<bool>>;
  using PerColumn = std::conditional_t<kSwap, AlongM<cute::_1>, AlongN<cute::_1>>;
  using Fusion = cutlass::epilogue::fusion::Sm90EVT<
      cutlass::epilogue::fusion::Sm90Compute<Dequantize, Half, float,
                                             cutlass::FloatRoundStyle::round_to_nearest>,
      cutlass::epilogue::fusion::Sm90AccFetch, RowScale, PerColumn, PerColumn>;

  using Epilogue = typename cutlass::epilogue::collective::CollectiveBuilder<
      cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, Tile, Cluster,
      cutlass::epilogue::collective::EpilogueTileAuto, int32_t, float, void, LayoutD, 8, Half,
      LayoutD, 8, EpilogueSchedule, Fusion>::CollectiveOp;
  using Mainloop = typename cutlass::gemm::collective::CollectiveBuilder<
      cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, int8_t, cutlass::layout::RowMajor, 16,
      int8_t, cutlass::layout::ColumnMajor, 16, int32_t, Tile, Cluster,
      cutlass::gemm::collective::StageCountAutoCarveout<static_cast<int>(
          sizeof(typename Epilogue::SharedStorage))>,
      Schedule>::CollectiveOp;
  using Scheduler = std::conditional_t<kSplit, cutlass::gemm::StreamKScheduler,
                                       cutlass::gemm::PersistentScheduler>;
  using Kernel = cutlass::gemm::kernel::GemmUniversal<cute::Shape<int, int, int, int>, Mainloop,
                                                      Epilogue, Scheduler>;
  using Gemm = cutlass::gemm::device::GemmUniversalAdapter<Kernel>;

  static typename Gemm::Arguments arguments(const Int8Gemm& g, int setting) {
    const auto rows = static_cast<int>(kSwap ? g.n : g.m),
               columns = static_cast<int>(kSwap ? g.m : g.n);
    const auto depth = static_cast<int>(g.k);
    typename Gemm::Arguments out;
    out.mode = cutlass::gemm::GemmUniversalMode::kGemm;
    out.problem_shape = {rows, columns, depth, 1};
    using namespace cutlass;
    out.mainloop = {kSwap ? g.w : g.x,
                    make_cute_packed_stride(typename Kernel::StrideA{}, {rows, depth, 1}),
                    kSwap ? g.x : g.w,
                    make_cute_packed_stride(typename Kernel::StrideB{}, {columns, depth, 1})};
    out.epilogue.ptr_C = nullptr;
    out.epilogue.dC = {};
    out.epilogue.ptr_D = static_cast<Half*>(g.y);
    out.epilogue.dD = make_cute_packed_stride(typename Kernel::StrideD{}, {rows, columns, 1});
    typename RowScale::Arguments row{g.row_scale};
    if constexpr (kSwap) {
      row.dRow = {cute::_0{}, g.per_row, 0};
    } else {
      row.dCol = {g.per_row, cute::_0{}, 0};
    }
    out.epilogue.thread = {
        {}, row, {g.col_scale}, {g.bias}, {g.type == Dtype::kBF16, g.bias != nullptr}};
    int device = 0, processors = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    out.hw_info.device_id = device;
    out.hw_info.sm_count = processors;
    if constexpr (kSplit) {
      using Mode = typename cutlass::gemm::kernel::detail::
          PersistentTileSchedulerSm90StreamKParams::DecompositionMode;
      out.scheduler.splits = setting > 1 ? setting : 1;
      out.scheduler.decomposition_mode =
          setting == 0 ? Mode::StreamK : (setting == 1 ? Mode::DataParallel : Mode::SplitK);
    } else {
      using Order = cutlass::gemm::kernel::detail::RasterOrderOptions;
      out.scheduler.max_swizzle_size = setting % 16;
      out.scheduler.raster_order = static_cast<Order>(setting / 16);
    }
    return out;
  }

  static size_t workspace(const Int8Gemm& g, int setting) {
    return Gemm::get_workspace_size(arguments(g, setting));
  }

  static bool run(const Int8Gemm& g, int setting, void* workspace, bool overlap, void* stream) {
    if (!is_16_bit(g.type)) return false;
    const typename Gemm::Arguments args = arguments(g, setting);
    if (Gemm::can_implement(args) != cutlass::Status::kSuccess) return false;
    Gemm gemm;
    if (gemm.initialize(args, workspace, as_stream(stream)) != cutlass::Status::kSuccess) {
      cudaGetLastError();
      return false;
    }
    if (gemm.run(as_stream(stream), nullptr, overlap && !kSplit) != cutlass::Status::kSuccess) {
      cudaGetLastError();
      return false;
    }
    return true;
  }

  static Int8TileConfig tile_config(const char* name) {
    return {name,       90,  90, kSplit ? Int8TileConfig::kSplits : Int8TileConfig::kSwizzle,
            &workspace, &run};
  }
};

}  // namespace octet::cuda
