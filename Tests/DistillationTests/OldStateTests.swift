import Compute
import Distillation
import HDF5
import Models
import TestSupport
import Testing
import Training

@Suite("States of version 1 are read")
struct OldStateTests {
  /// A state as the version before wrote it.
  private func write(_ state: TrainingState, phase: String, imagesDone: Int, to path: String) throws {
    try HDF5File.publish(path) { file in
      let root = file.root
      try root.setFormat(HDF5Format("sid-training-state", version: 1))
      try root.setAttribute("images_seen", state.imagesSeen)
      try root.setAttribute("fake_score_objective", 2.5)
      for trained in state.networks {
        try trained.network.write(to: try root.createGroup(trained.name))
        if let average = trained.average { try average.write(to: try root.createGroup(trained.name + "_ema")) }
        try trained.adam.write(to: try root.createGroup(trained.name + "_optimizer"), names: trained.network)
      }
      let pending = try root.createGroup("pending")
      try pending.setAttribute("phase", phase)
      try pending.setAttribute("images_done", imagesDone)
      try pending.setAttribute("objective", 1.0)
      try pending.setAttribute("counted_images", imagesDone)
    }
  }

  @Test(
    "Between two steps it goes on; within one, that step begins again", arguments: ["fakeScore", "generator"], [0, 4])
  func versions(phase: String, imagesDone: Int) throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    let settings = ResumptionTests.settings(microbatch: 4)
    let loop = try ResumptionTests.loop(settings, teacher: teacher)
    while try loop.advance() == nil {}
    if phase == "generator" { while loop.state.turn == "fake_score" { _ = try loop.advance() } }
    let folder = try TemporaryFolder()
    let path = folder.file("old.h5")
    try write(loop.state, phase: phase, imagesDone: imagesDone, to: path)
    var isBegunAgain = false
    let read = try TrainingState(
      reading: try HDF5File.open(path), networks: TrainingState.distillationNetworks, cut: settings.cut
    ) { isBegunAgain = true }
    #expect(isBegunAgain == (imagesDone > 0))
    #expect(read.imagesSeen == 10 && read.turn == (phase == "generator" ? "generator" : "fake_score"))
    #expect(read.pending.isEmpty)
    let again = try ResumptionTests.loop(settings, teacher: teacher, state: read)
    var summary: IterationSummary?
    while summary == nil { summary = try again.advance() }
    while try loop.advance() == nil {}
    #expect(ResumptionTests.bits(again.state.generator) == ResumptionTests.bits(loop.state.generator))
    if phase == "generator" { #expect(summary?.objectives["fake_score"] == 2.5) }
  }

  @Test("Sums of another cut are refused")
  func otherCuts() throws {
    let teacher = try loadNetwork("golden/checkpoints/sid_b_teacher.pkl")
    let settings = ResumptionTests.settings(microbatch: 2)
    let loop = try ResumptionTests.loop(settings, teacher: teacher)
    for _ in 0..<3 { _ = try loop.advance() }
    let folder = try TemporaryFolder()
    let path = folder.file("state.h5")
    try HDF5File.publish(path) { try loop.state.write(to: $0) }
    for cut in [
      MicroBatches(batch: 10, microbatch: 5, maximumGroups: 16),
      MicroBatches(batch: 10, microbatch: 2, maximumGroups: 2),
      MicroBatches(batch: 12, microbatch: 2, maximumGroups: 16),
    ] {
      #expect {
        try TrainingState(
          reading: try HDF5File.open(path), networks: TrainingState.distillationNetworks, cut: cut)
      } throws: { "\($0)".contains("sums of gradients") }
    }
  }
}
