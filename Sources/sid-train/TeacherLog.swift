import Denoising
import Diagnostics
import Files
import Foundation
import Records
import Training
import TrainingStage

/// The log of a teacher's training in the official trainer's form: `NAME.stats.jsonl`, a JSON object a line, in it for each
/// quantity its number of values, their mean and standard deviation.
///
/// A line is written after the first iteration, then at every multiple of the interval, and at the end. Beside what the official
/// trainer writes stand the loss by noise level and the learning rate. Where a run goes on from a saved state, lines of later
/// iterations are taken out, and what the interval under way had seen comes from the state: but for the times the log is that
/// of a run that never stopped.
final class TeacherLog: TrainingLog {
  let path: String
  private let batch: Int
  private let tickImages: Double
  private let durationImages: Int
  private let schedule: Schedule
  private var interval = Interval()
  private var file: FileHandle?
  private var lock: FileLock?

  /// What is known of the interval under way.
  private struct Interval: Codable {
    /// Lines before it.
    var lines = 0
    /// Images and seconds at its beginning.
    var images = 0
    var seconds = 0.0
    /// As `LossStatistics` has them.
    var sums: [Double] = LossStatistics().sums
  }

  /// - Parameters:
  ///   - path: where it stands.
  ///   - batch: images of an iteration.
  ///   - tickKimg: thousands of images between two lines.
  ///   - durationImages: images of the whole training.
  ///   - schedule: the learning rate.
  init(_ path: String, batch: Int, tickKimg: Double, durationImages: Int, schedule: Schedule) {
    (self.path, self.batch, self.durationImages, self.schedule) = (path, batch, durationImages, schedule)
    tickImages = tickKimg * 1000
  }

  func resume(at imagesSeen: Int, _ text: String?) throws {
    interval = text.flatMap { try? JSONDecoder().decode(Interval.self, from: Data($0.utf8)) } ?? Interval()
    // A state of another trainer's run, or of one whose log is not known, begins one here.
    if text == nil { interval.images = imagesSeen }
    let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    lock = try FileLock(descriptor, of: path)
    guard lock != nil else {
      throw Failure(.temporaryFailure, path, "another process writes it", remedy: "wait until that run has ended")
    }
    // The lock closes it.
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    file = handle
    let kept = try Self.beginning(of: handle, path: path, upTo: text == nil ? -1 : imagesSeen)
    guard ftruncate(descriptor, off_t(kept)) == 0 else { throw Failure.system(path, "cut") }
    guard lseek(descriptor, 0, SEEK_END) >= 0 else { throw Failure.system(path, "go to its end") }
  }

  /// The length of the lines of iterations up to a count of images.
  private static func beginning(of handle: FileHandle, path: String, upTo imagesSeen: Int) throws -> Int {
    var length = 0
    let data = try content(of: handle.fileDescriptor, path: path)
    for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      guard let value = JSONValue(json: Array(line)), let kimg = value["Progress/kimg"]?["mean"]?.realValue,
        (kimg * 1000).rounded() <= Double(imagesSeen)
      else { break }
      length += line.count + 1
    }
    return length
  }

  private static func content(of descriptor: Int32, path: String) throws -> [UInt8] {
    var content: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &block, block.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Failure.system(path, "read") }
      if count == 0 { return content }
      content += block.prefix(count)
    }
  }

  func add(_ iteration: IterationSummary, seconds: Double) throws {
    guard var statistics = LossStatistics(sums: interval.sums), let new = LossStatistics(sums: iteration.sums) else {
      return
    }
    statistics.add(new)
    interval.sums = statistics.sums
    let seen = iteration.imagesSeen
    func passed(_ images: Int) -> Double { (Double(images) / tickImages).rounded(.down) }
    guard seen == batch || passed(seen) > passed(seen - batch) || seen >= durationImages else { return }
    try write(statistics, imagesSeen: seen, seconds: seconds)
    interval = Interval(lines: interval.lines + 1, images: seen, seconds: seconds, sums: LossStatistics().sums)
  }

  private func write(_ statistics: LossStatistics, imagesSeen: Int, seconds: Double) throws {
    func one(_ value: Double) -> JSONValue { ["num": 1, "mean": .double(value), "std": .double(0)] }
    let (images, spent) = (Double(imagesSeen - interval.images), seconds - interval.seconds)
    var line: [String: JSONValue] = [
      "Loss/loss": [
        "num": .int(Int(statistics.count)), "mean": .double(statistics.mean), "std": .double(statistics.deviation),
      ],
      "Loss/learning_rate": one(schedule(afterImages: imagesSeen - batch)),
      "Progress/tick": one(Double(interval.lines)),
      "Progress/kimg": one(Double(imagesSeen) / 1000),
      "Timing/total_sec": one(seconds),
      "Timing/sec_per_tick": one(spent),
      "Timing/sec_per_kimg": one(images > 0 ? spent / images * 1000 : 0),
      "timestamp": .double(Date().timeIntervalSince1970),
    ]
    for (range, count, mean) in statistics.byLevel {
      line["Loss/loss_at_sigma_\(range)"] = ["num": .int(Int(count)), "mean": .double(mean)]
    }
    do {
      try file?.write(contentsOf: Data((JSONValue.object(line).text + "\n").utf8))
    } catch {
      throw Failure(
        .temporaryFailure, path, "cannot be written", remedy: "free some space and run the same command again")
    }
  }

  func text() throws -> String {
    if let file, fsync(file.fileDescriptor) != 0 { throw Failure.system(path, "flush") }
    return String(decoding: try JSONEncoder().encode(interval), as: UTF8.self)
  }
}
