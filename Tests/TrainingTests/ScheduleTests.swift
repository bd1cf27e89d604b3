import Testing
import Training

@Suite("Schedules and averages")
struct ScheduleTests {
  @Test("Constant, ramp, linear and cosine decay, alone and together")
  func courses() {
    #expect(Schedule.constant(3)(afterImages: 1_000_000) == 3)
    let ramp = Schedule.constant(2).ramped(images: 1000)
    #expect([0, 250, 1000, 5000].map { ramp(afterImages: $0) } == [0, 0.5, 2, 2])
    let line = Schedule.constant(2).decaying(.linear, fromKimg: 0.1, toKimg: 0.3, final: 0.5)
    #expect([0, 100, 200, 300, 400].map { line(afterImages: $0) } == [2, 2, 1.5, 1, 1])
    let cosine = Schedule.constant(2).decaying(.cosine, fromKimg: 0.1, toKimg: 0.3, final: 0)
    #expect([0, 100, 300, 400].map { cosine(afterImages: $0) } == [2, 2, 0, 0])
    #expect(abs(cosine(afterImages: 200) - 1) < 1e-12)
    #expect(abs(cosine(afterImages: 150) - (1 + 0.5.squareRoot())) < 1e-12)
    let both = line.ramped(images: 400)
    #expect(both(afterImages: 200) == 2 * (0.5 * 0.75))
  }

  @Test("A decay that ends where it begins is none")
  func emptyDecay() {
    #expect(Schedule.constant(2).decaying(.linear, fromKimg: 0.3, toKimg: 0.3, final: 0)(afterImages: 400) == 2)
    #expect(Schedule.constant(2).decaying(.linear, fromKimg: .infinity, toKimg: 0.3, final: 0)(afterImages: 400) == 2)
  }

  @Test("An average forgets half in its half-life, which grows with the images seen")
  func averages() {
    #expect(MovingAverage(halfLifeImages: 1000, rampupRatio: nil).beta(batch: 1000, beforeImages: 0) == 0.5)
    #expect(MovingAverage(halfLifeImages: 1000, rampupRatio: 0.05).beta(batch: 100, beforeImages: 0) == 0)
    #expect(MovingAverage(halfLifeImages: 1000, rampupRatio: 0.05).beta(batch: 100, beforeImages: 2000) == 0.5)
    #expect(MovingAverage(halfLifeImages: 1000, rampupRatio: 0.05).beta(batch: 1000, beforeImages: 1 << 40) == 0.5)
  }
}
