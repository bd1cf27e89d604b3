// swift-tools-version: 6.2
import PackageDescription

// Kernel files are the only code built for an instruction set and without overflow checks and preconditions; everything
// above them validates its arguments. One set of sources is built once for each set: `KernelsV4` is a symbolic link to
// `Kernels`. Which set computes is chosen when a program starts.
//
// Without optimisation the compiler makes copies of the standard library's generic functions that the linker shares between
// modules, so AVX-512 is for release builds alone; the larger set's vectors take two registers each then.
func kernelSettings(march: String, lanes: Int) -> [SwiftSetting] {
  #if arch(x86_64)
    let (release, debug) = (["-Xcc", "-march=\(march)"], ["-Xcc", "-march=x86-64-v3"])
  #else
    let (release, debug): ([String], [String]) = ([], [])
  #endif
  let width = ["-Xcc", "-DSID_LANES=\(lanes)"]
  return [
    .unsafeFlags(["-Ounchecked", "-wmo"] + release + width, .when(configuration: .release)),
    .unsafeFlags(debug + width, .when(configuration: .debug)),
  ] + (lanes == 16 ? [.define("SID_WIDE")] : [])
}
func kernels(_ name: String, path: String? = nil, march: String, lanes: Int) -> Target {
  .target(
    name: name, dependencies: ["CVector", "KernelInterface"], path: path,
    swiftSettings: kernelSettings(march: march, lanes: lanes))
}
#if arch(x86_64)
  let kernelSets = [
    kernels("Kernels", march: "x86-64-v3", lanes: 8), kernels("KernelsV4", march: "x86-64-v4", lanes: 16),
  ]
#else
  let kernelSets = [kernels("Kernels", march: "", lanes: 8)]
#endif

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "sid",
  products: [
    .executable(name: "sid-bench", targets: ["sid-bench"]),
    .executable(name: "sid-convert", targets: ["sid-convert"]),
    .executable(name: "sid-train", targets: ["sid-train"]),
    .executable(name: "sid-distill", targets: ["sid-distill"]),
    .executable(name: "sid-report", targets: ["sid-report"]),
    .executable(name: "sid-sample", targets: ["sid-sample"]),
    .executable(name: "sid-score", targets: ["sid-score"]),
    .executable(name: "sid-spoold", targets: ["sid-spoold"]),
    .executable(name: "sidctl", targets: ["sidctl"]),
  ],
  traits: [
    .trait(
      name: "MPI", description: "Trains on several processes and machines at once; needs MPI, as of libopenmpi-dev.")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C libraries, reached only through these modules.
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    // Only with the trait.
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CVector"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

    // What everything stands on: the error type, exit statuses, atomic publishing, digests.
    .target(name: "Diagnostics", dependencies: ["CLinux"]),
    .target(name: "Processor", dependencies: ["CLinux", "Diagnostics"]),
    .target(name: "Files", dependencies: ["CLinux", "COpenSSL", "Diagnostics"]),
    // What values the options of stages take, as data: the stages' parsers and the spool read the same declarations.
    .target(name: "OptionValues", dependencies: ["Records", "Files", "Diagnostics"]),
    // What files say of themselves and each other, as plain values.
    .target(name: "Records"),

    // File formats.
    .target(name: "HDF5", dependencies: ["CHDF5", "CZlib", "Files", "Diagnostics"]),
    .target(
      name: "Images", dependencies: ["CPNG", "CJPEG", "CArchive", "CZlib", "Records", "Files", "Diagnostics"]),
    .target(name: "Checkpoints", dependencies: ["CZlib", "Compute", "Files", "Diagnostics"]),

    // Numerics.
    .target(name: "KernelInterface"),
    .target(
      name: "Compute",
      dependencies: ["KernelInterface", "CVector", "Processor", "Records", "Diagnostics"]
        + kernelSets.map { .target(name: $0.name) }),
    .target(name: "Autograd", dependencies: ["Compute"]),
    .target(name: "Models", dependencies: ["Autograd", "Compute", "HDF5", "Records", "Files", "Diagnostics"]),
    .target(
      name: "Sampling",
      dependencies: ["Models", "Compute", "OptionValues", "Records", "Files", "Diagnostics"]),
    // Files of samples: shards, manifests, verification, exports.
    .target(
      name: "Archives",
      dependencies: ["Sampling", "Compute", "HDF5", "Images", "OptionValues", "Records", "Files", "Diagnostics"]),
    .target(
      name: "Scoring",
      dependencies: [
        "Archives", "Checkpoints", "Models", "Compute", "COpenBLAS", "HDF5", "Images", "OptionValues", "Files",
        "Processor", "Diagnostics",
      ]),
    .target(name: "Training", dependencies: ["Models", "Autograd", "Compute", "HDF5", "Diagnostics"]),
    // Image data sets in training order, and their augmentation.
    .target(name: "TrainingData", dependencies: ["Compute", "HDF5", "Images", "Diagnostics"]),
    .target(
      name: "Denoising",
      dependencies: ["Training", "TrainingData", "Models", "Autograd", "Compute", "HDF5", "Images", "Diagnostics"]),
    .target(
      name: "Distillation",
      dependencies: [
        "Denoising", "Training", "TrainingData", "Models", "Autograd", "Compute", "HDF5", "Images", "Diagnostics",
      ]),
    // The page of a job: above all of them.
    .target(
      name: "Report",
      dependencies: [
        "Training", "Archives", "Sampling", "Models", "Compute", "HDF5", "Images", "JobFolder", "Records", "Files",
        "Diagnostics",
      ]),

    // Processes.
    .target(
      name: "Stage",
      dependencies: ["CLinux", "OptionValues", "Records", "Files", "Processor", "Diagnostics", argumentParser]),
    // The ranks of a training that a launcher starts.
    .target(
      name: "MPIRanks",
      dependencies: ["Training", "Stage", "Diagnostics", .target(name: "CMPI", condition: .when(traits: ["MPI"]))]),
    // Options of whatever measures.
    .target(name: "ScoringStage", dependencies: ["Scoring", "Models", "Stage", "OptionValues", argumentParser]),
    // The frame that the programs which train share.
    .target(
      name: "TrainingStage",
      dependencies: [
        "MPIRanks", "ScoringStage", "Training", "Sampling", "Scoring", "Models", "Compute", "Images", "HDF5",
        "OptionValues", "Records", "Stage", "Files", "Diagnostics", argumentParser,
      ]),
    // The one reader of YAML.
    .target(name: "YAML", dependencies: ["Files", "Diagnostics", yams]),
    // YAML that describes networks.
    .target(name: "ConfigurationFiles", dependencies: ["Models", "YAML", "Files", "Diagnostics"]),
    // What stands in a job's folder and how it is written: for the spool, its own steps and the report.
    .target(name: "JobFolder", dependencies: ["Records", "Files", "Diagnostics"]),
    // What the daemon decides, without a clock, a disk or a process.
    .target(name: "Queue", dependencies: ["JobFolder", "Files", "Diagnostics"]),
    // The edges of the queue: the disk, processes, clients.
    .target(
      name: "Spool",
      dependencies: [
        "Queue", "JobFolder", "YAML", "CLinux", "OptionValues", "Records", "Files", "Diagnostics",
      ]),

    .executableTarget(
      name: "sid-bench",
      dependencies: [
        "COpenBLAS", "Denoising", "Distillation", "Training", "TrainingData", "Sampling", "Scoring", "Models",
        "Compute", "HDF5", "Records", "Stage", "Files", "Diagnostics",
        argumentParser,
      ]),
    .executableTarget(
      name: "sid-convert",
      dependencies: [
        "Checkpoints", "ConfigurationFiles", "Training", "Models", "Compute", "HDF5", "Images", "OptionValues",
        "Records", "Stage", "Files", "Diagnostics",
        argumentParser,
      ]),
    .executableTarget(
      name: "sid-distill",
      dependencies: [
        "TrainingStage", "MPIRanks", "Distillation", "Training", "TrainingData", "Sampling", "Scoring", "Models",
        "Compute", "Images", "HDF5", "OptionValues", "Records", "Stage", "Files", "Diagnostics",
        argumentParser,
      ]),
    .executableTarget(
      name: "sid-train",
      dependencies: [
        "TrainingStage", "ConfigurationFiles", "MPIRanks", "Denoising", "Training", "TrainingData", "Sampling",
        "Scoring", "Models", "Compute", "Images", "HDF5", "OptionValues", "Records", "Stage", "Files", "Diagnostics",
        argumentParser,
      ]),
    .executableTarget(
      name: "sid-report",
      dependencies: [
        "Report", "Models", "Compute", "OptionValues", "Records", "Stage", "Files", "Diagnostics", argumentParser,
      ]),
    .executableTarget(
      name: "sid-sample",
      dependencies: [
        "Archives", "Sampling", "Models", "Compute", "Images", "HDF5", "OptionValues", "Records", "Stage", "Files",
        "Diagnostics", argumentParser,
      ]),
    .executableTarget(
      name: "sid-score",
      dependencies: [
        "ScoringStage", "Scoring", "Models", "Compute", "HDF5", "OptionValues", "Records", "Stage", "Files",
        "Diagnostics", argumentParser,
      ]),
    .executableTarget(
      name: "sid-spoold", dependencies: ["Spool", "Queue", "Stage", "CSystemd", "Diagnostics", argumentParser]),
    .executableTarget(name: "sidctl", dependencies: ["Spool", "JobFolder", "Stage", "Diagnostics", argumentParser]),

    // Tests: one target per module; TestSupport finds the fixtures and the built programs.
    .target(
      name: "TestSupport",
      dependencies: ["HDF5", "Images", "Compute", "Checkpoints", "Models", "Sampling", "Training"],
      path: "Tests/TestSupport"),
    // Changed files for every reader of untrusted files; sid-fuzz runs them for hours, FuzzTests for a moment.
    .target(
      name: "Fuzzing",
      dependencies: [
        "CZlib", "Checkpoints", "Compute", "Distillation", "Training", "Images", "Models", "Report", "Sampling",
        "Scoring", "Spool", "YAML",
        "HDF5", "Diagnostics", "TestSupport",
      ], path: "Tests/Fuzzing"),
    .executableTarget(name: "sid-fuzz", dependencies: ["Fuzzing", argumentParser], path: "Tests/sid-fuzz"),
    .testTarget(name: "FuzzTests", dependencies: ["Fuzzing", "TestSupport"]),
    .testTarget(
      name: "OptionValuesTests",
      dependencies: ["OptionValues", "Archives", "Models", "Sampling", "Scoring", "TestSupport"]),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"]),
    .testTarget(name: "HDF5Tests", dependencies: ["HDF5", "TestSupport"]),
    .testTarget(name: "ImagesTests", dependencies: ["Images", "TestSupport"]),
    .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "TestSupport"]),
    // The larger set's sources without its instructions, so that every processor can test them.
    kernels("KernelsWide", path: "Tests/KernelsWide", march: "x86-64-v3", lanes: 16),
    .testTarget(
      name: "KernelsTests", dependencies: ["Compute", "KernelInterface", "KernelsWide", "Processor", "TestSupport"]),
    .testTarget(name: "ComputeTests", dependencies: ["Compute", "Autograd", "TestSupport"]),
    .testTarget(name: "ModelsTests", dependencies: ["Models", "Checkpoints", "TestSupport"]),
    .testTarget(name: "TrainingTests", dependencies: ["Training", "Models", "HDF5", "Diagnostics", "TestSupport"]),
    .testTarget(
      name: "DenoisingTests",
      dependencies: ["Denoising", "Training", "TrainingData", "Models", "Images", "Checkpoints", "TestSupport"]),
    .testTarget(
      name: "DistillationTests",
      dependencies: [
        "Distillation", "Denoising", "Training", "TrainingData", "Sampling", "Models", "Images", "Checkpoints",
        "TestSupport",
      ]),
    .testTarget(
      name: "SamplingTests",
      dependencies: ["Sampling", "Models", "Checkpoints", "OptionValues", "Files", "TestSupport"]),
    .testTarget(
      name: "ArchivesTests",
      dependencies: ["Archives", "Sampling", "Models", "Checkpoints", "OptionValues", "Files", "TestSupport"]),
    .testTarget(
      name: "ScoringTests",
      dependencies: ["Scoring", "OptionValues", "Models", "Checkpoints", "Files", "TestSupport"]),
    .testTarget(
      name: "ReportTests",
      dependencies: ["Report", "Sampling", "Models", "Compute", "Images", "Files", "HDF5", "TestSupport"]),
    .testTarget(name: "ConfigurationFilesTests", dependencies: ["ConfigurationFiles", "Files", "Diagnostics"]),
    .testTarget(name: "RecordsTests", dependencies: ["Records", "TestSupport"]),
    .testTarget(
      name: "StageTests", dependencies: ["Stage", "Records", "Files", "Processor", "Diagnostics", "TestSupport"]),
    .testTarget(
      name: "SpoolTests", dependencies: ["Spool", "Queue", "JobFolder", "YAML", "Records", "Files", "TestSupport"]),
    .testTarget(
      name: "ProgramTests",
      dependencies: [
        "Spool", "YAML", "ConfigurationFiles", "OptionValues", "Records", "Checkpoints", "Distillation", "Training",
        "Models", "Compute", "Processor", "HDF5", "Images", "Files", "TestSupport",
      ]),
  ] + kernelSets,
  swiftLanguageModes: [.v6]
)
