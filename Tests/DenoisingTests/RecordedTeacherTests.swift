import Compute
import Denoising
import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing
import Training

import Models

@Suite("The official trainer's teachers are trained here", .serialized)
struct RecordedTeacherTests {
  static func record(_ name: String) throws -> RecordedTeacherTraining {
    try RecordedTeacherTraining(contentsOf: Fixtures.path("golden/training/\(name).h5"))
  }

  @Test(
    "A recorded training is met, with each mode of the kernels within what it differs by",
    arguments: ["trajectory_a", "trajectory_b"], KernelMode.allCases)
  func trajectory(name: String, mode: KernelMode) throws {
    let comparisons = try KernelSet.with(mode) { try Self.record(name).replay() }
    for one in comparisons { #expect(one.isAccepted, "\(one.name): \(one.error) of \(one.tolerance)") }
    for word in [
      "loss, iteration 5, round 0", "mean element, iteration 0", "learning rate, iteration 5", "weight of the average",
      "gradient norms, iteration 5", "weight norms, iteration 5", "net weights", "ema weights", "first moments",
      "second moments",
    ] {
      #expect(comparisons.contains { $0.name.hasPrefix(word) }, "\(word)")
    }
  }

  @Test("Its stored start is the checkpoint that it names", arguments: ["a", "b"])
  func starts(name: String) throws {
    let start = try #require(try Self.record("trajectory_" + name).start)
    let network = try loadNetwork("golden/checkpoints/edm_training_\(name)_initial.pkl")
    #expect(start.parameters.map(\.values) == network.parameters.map(\.values))
  }

  @Test("A start that differs in one layer is beyond the tolerance, and so are other settings")
  func altered() throws {
    let record = try Self.record("trajectory_b")
    var network = try #require(record.start)
    let index = try #require(network.specifications.firstIndex { $0.name == "model.map_layer0.weight" })
    network.parameters[index] = scaled(network.parameters[index], by: 1.001)
    let comparisons = try KernelSet.with(.exact) { try record.replay(network: network) }
    #expect(comparisons.contains { !$0.isAccepted && $0.name.hasPrefix("loss") })
    #expect(comparisons.contains { !$0.isAccepted && $0.name.hasPrefix("net weights") })
  }

  @Test("What is no such record, or goes on with another, is refused")
  func refusals() throws {
    #expect(throws: Failure.self) { try Self.record("trajectory_b_resumed") }
    let resumed = try RecordedTeacherTraining(
      contentsOf: Fixtures.path("golden/training/trajectory_b_resumed.h5"),
      settingsOf: Fixtures.path("golden/training/trajectory_b.h5"))
    let unstarted = #expect(throws: Failure.self) { try resumed.replay() }
    #expect(unstarted?.status == .usage)
    for other in ["golden/sid/trajectory_a.h5", "golden/training/initial_weights.h5"] {
      let refused = #expect(throws: Failure.self) { try RecordedTeacherTraining(contentsOf: Fixtures.path(other)) }
      #expect(refused?.status == .dataError)
    }
  }
}
