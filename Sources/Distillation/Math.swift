import Foundation

/// 0.5^x.
func powerOfHalf(_ x: Double) -> Double { exp2(-x) }
