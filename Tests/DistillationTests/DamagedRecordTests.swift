import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Models
import TestSupport
import Testing
import Training
import TrainingData

@Suite("Damaged records and states end in an error of the file")
struct DamagedRecordTests {
  private func recorded(_ course: TrajectoryTests.Course, _ old: String, _ new: String) throws -> RecordedTrajectory {
    let config = try HDF5File.open(course.path).root.stringAttribute("config")
    try #require(config.contains(old))
    return try RecordedTrajectory(
      contentsOf: course.path, replacingConfig: config.replacingOccurrences(of: old, with: new))
  }

  @Test("A rate that leaves the finite numbers")
  func rates() throws {
    let record = try recorded(.a, "\"lr\": 0.0002", "\"lr\": 1e300")
    let teacher = try #require(record.start)
    #expect { try record.replay(teacher: teacher) } throws: {
      ($0 as? Failure)?.status == .dataError && "\($0)".contains("finite")
    }
  }

  @Test("Augmentations that the teacher has no labels for")
  func labels() throws {
    let record = try RecordedTrajectory(contentsOf: TrajectoryTests.Course.b.path)
    var configuration = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl").configuration
    configuration.augmentDim = 5
    let teacher = try Network(configuration: configuration, randomSeed: 1, origin: "other")
    #expect { try record.replay(teacher: teacher) } throws: {
      ($0 as? Failure)?.status == .dataError && "\($0)".contains("5 augmentation labels")
    }
  }

  @Test("Draws of an augmentation that are no numbers", arguments: [Float.nan, .infinity, -6000])
  func draws(value: Float) throws {
    let folder = try TemporaryFolder()
    try HDF5File.publish(folder.file("d.h5")) { file in
      for k in 0..<20 { try file.root.write([value, 0], shape: [2], to: "\(10 + k)") }
    }
    let group = try HDF5File.open(folder.file("d.h5")).root
    #expect {
      try AugmentationDraws.recorded(
        in: group, called: "draws", images: 2, AugmentationPipeline(probability: 1), path: "d.h5")
    } throws: { ($0 as? Failure)?.status == .dataError }
  }

  @Test("A counter that no training reaches", arguments: [-1, Int.max, 1 << 54])
  func counters(images: Int) throws {
    let folder = try TemporaryFolder()
    let settings = ResumptionTests.settings(microbatch: 4)
    let state = TrainingState(
      teacher: try loadNetwork("golden/checkpoints/sid_b_teacher.pkl"), settings: settings, imagesSeen: images)
    try HDF5File.publish(folder.file("s.h5")) { try state.write(to: $0) }
    #expect {
      try TrainingState(
        reading: try HDF5File.open(folder.file("s.h5")), networks: TrainingState.distillationNetworks,
        cut: settings.cut)
    } throws: { ($0 as? Failure)?.status == .dataError && "\($0)".contains("counter of images") }
  }
}
