package scene

import "math"

// scenes are all of them by the slug of their event.
func scenes() map[string]paint {
	return map[string]paint{
		"long-night-of-lenses": harbour, "reading-the-tide": tide, "glassblowers-supper": furnace, "sky-from-your-sofa": window, "keepers-assembly": lighthouse,
		"city-that-mends": depot, "invisible-mending": darning, "ladder-day": ladders, "reparaturcafe": lights,
	}
}

// harbour: a dome on a headland under the Milky Way, and its light on the water.
func harbour(x, y float64) rgb {
	c := mix(hex(0x0d1136), hex(0x3d4f9f), y/0.72)
	band := glow(y-0.62*x+0.45, 0, 0, 0, 0.2)
	c = lit(c, hex(0x8a7fc9), 0.35*band*(0.6+0.4*math.Sin(17*x)*math.Sin(9*y+3)))
	c = lit(c, rgb{1, 1, 0.95}, stars(x, y, 0.028, 0.22+0.3*band))
	land := wave(x, 0.66, 0.035, 0.22, 0.4)
	switch {
	case y > 0.76: // water
		c = mix(hex(0x1a2660), hex(0x0a0f2e), (y-0.76)/0.24)
		if math.Sin(x*9+y*160)+math.Sin(x*23-y*90) > 1.35 {
			c = lit(c, hex(0x6f7fd0), 0.35)
		}
		c = lit(c, hex(0xffcf7a), 0.5*glow(x, 0, 1.02, 0, 0.05)*(0.6+0.4*math.Sin(220*y)))
	case y > land:
		c = hex(0x0b1030)
	}
	if d := math.Hypot(x-1.02, y-0.62); d < 0.13 && y < 0.62 {
		c = mix(hex(0x5b6abf), hex(0x232d6b), (x-0.91)/0.22)
		if math.Abs(x-0.99-0.25*(0.62-y)) < 0.016 {
			c = hex(0xffd98a)
		}
	} else if inside(x, y, 0.89, 0.62, 1.15, 0.76) {
		c = hex(0x1c2457)
	}
	return c
}

// tide: a low moon over flats that the water has left.
func tide(x, y float64) rgb {
	c := mix(hex(0x0f4c4a), hex(0xf2d7a6), math.Pow(y/0.5, 1.3))
	c = lit(c, hex(0xffe9c0), 0.5*glow(x, y, 1.16, 0.3, 0.3))
	c = mix(c, hex(0xfff6e0), disc(x, y, 1.16, 0.3, 0.1))
	for i := range 9 {
		level := 0.5 + 0.056*float64(i)
		if y > wave(x, level, 0.012+0.002*float64(i), 0.18+0.02*float64(i), 1.9*float64(i)) {
			c = mix(hex(0x2f8f80), hex(0x0a3532), float64(i)/8)
			if i%2 == 1 {
				c = mix(hex(0xd9b98a), hex(0x4a3b2c), float64(i)/8)
			}
		}
	}
	return c
}

// furnace: glasses before the fire that they came from.
func furnace(x, y float64) rgb {
	c := mix(hex(0x2a0f12), hex(0x5c1d14), y)
	c = lit(c, hex(0xff8a2a), 0.9*glow(x, y, 0.89, 0.42, 0.42))
	c = mix(c, hex(0xfff0b8), disc(x, y, 0.89, 0.42, 0.15)*(0.75+0.25*math.Sin(30*x)*math.Sin(25*y)))
	if y > 0.8 {
		c = mix(hex(0x3b1a12), hex(0x1a0a08), (y-0.8)/0.2)
	}
	for i, cx := range []float64{0.2, 0.47, 1.31, 1.58} {
		r := 0.09 + 0.018*float64(i%2)
		cy := 0.6
		ring := clamp(1 - math.Abs(math.Hypot(x-cx, (y-cy)*0.9)-r)*140)
		c = lit(c, hex(0xffc48a), 0.8*ring+0.14*disc(x, y, cx, cy, r))
		if math.Abs(x-cx) < 0.006 && y > cy+r && y < 0.81 {
			c = lit(c, hex(0xffc48a), 0.5)
		}
		if math.Abs(x-cx) < 0.055 && math.Abs(y-0.81) < 0.006 {
			c = lit(c, hex(0xffc48a), 0.6)
		}
	}
	return c
}

// window: the sky from a room, and the back of a sofa.
func window(x, y float64) rgb {
	c := mix(hex(0x3a2d4f), hex(0x241a36), y)
	if inside(x, y, 0.36, 0.09, 1.42, 0.78) {
		c = mix(hex(0x101a45), hex(0x6d5aa8), (y-0.09)/0.7)
		c = lit(c, rgb{1, 1, 0.95}, stars(x, y, 0.034, 0.3))
		moon := disc(x, y, 1.12, 0.28, 0.085) * (1 - disc(x, y, 1.075, 0.26, 0.075))
		c = mix(lit(c, hex(0xfff0c8), 0.25*glow(x, y, 1.12, 0.28, 0.25)), hex(0xfff3d0), moon)
		if math.Abs(x-0.89) < 0.011 || math.Abs(y-0.44) < 0.009 {
			c = hex(0xb9a58c)
		}
	} else if inside(x, y, 0.33, 0.06, 1.45, 0.82) {
		c = hex(0xd0bda2)
	}
	back := 0.72 + 0.05*math.Pow(math.Abs(x-0.89)/0.6, 8)
	if y > back && inside(x, y, 0.2, 0, 1.58, 1) {
		c = mix(hex(0xa8543f), hex(0x6e3026), (y-back)/0.3)
		if math.Abs(math.Mod(x+0.1, 0.33)-0.165) < 0.003 {
			c = hex(0x6e3026)
		}
	}
	return c
}

// lighthouse: its beam over a coast at dusk.
func lighthouse(x, y float64) rgb {
	c := mix(hex(0x1d3557), hex(0xe9a178), math.Pow(y/0.75, 1.6))
	for i := range 3 {
		if h := float64(i); y > wave(x, 0.62+0.1*h, 0.04, 0.3-0.05*h, 0.7+1.3*h) {
			c = mix(hex(0x3c5a6b), hex(0x0f2230), h/2)
		}
	}
	if dx := 0.52 - x; dx > 0 && math.Abs(y-0.235+0.1*dx) < 0.012+0.16*dx {
		c = lit(c, hex(0xffe2a0), 0.55*(1-dx/0.6))
	}
	if dx := x - 0.52; dx > 0 && math.Abs(y-0.235+0.12*dx) < 0.012+0.1*dx {
		c = lit(c, hex(0xffe2a0), 0.45*(1-dx/1.3))
	}
	half := 0.035 + 0.045*(y-0.28)
	switch dx := math.Abs(x - 0.52); {
	case inside(x, y, 0, 0.28, 2, 0.7) && dx < half:
		c = hex(0xf4ede0)
		if math.Mod(y, 0.14) < 0.07 {
			c = hex(0xb5352f)
		}
		c = mix(c, hex(0x1d2433), 0.45*clamp((x-0.5)/half))
	case inside(x, y, 0, 0.2, 2, 0.28) && dx < 0.028:
		c = hex(0xfff4cf)
	case inside(x, y, 0, 0.16, 2, 0.2) && dx < (y-0.15)*0.8:
		c = hex(0x7d2420)
	}
	return lit(c, hex(0xffe2a0), 0.6*glow(x, y, 0.52, 0.24, 0.09))
}

// depot: roofs that a thread holds together.
func depot(x, y float64) rgb {
	c := mix(hex(0xf3d9b1), hex(0xe08a5b), y)
	c = mix(c, hex(0xfbe9c8), disc(x, y, 0.7, 0.33, 0.13))
	for row := range 3 {
		h := float64(row)
		size := 0.21 + 0.05*h
		n := math.Floor((x + 0.09*h) / size)
		in := math.Mod(x+0.09*h, size) / size
		top := 0.5 + 0.13*h - 0.12*noise(int(n), row) - 0.07*(1-math.Abs(2*in-1))
		if y > top {
			c = mix(hex(0xc05a37), hex(0x4a1f18), (h+0.4*noise(int(n), row+9))/2.4)
			if wx, wy := math.Mod(in*3, 1), math.Mod((y-top)*14, 1); y > top+0.1 && inside(wx, wy, 0.3, 0.25, 0.7, 0.75) && noise(int(in*3)+int(n)*5, int((y-top)*14)+row*7) > 0.55 {
				c = hex(0xffdf9a)
			}
		}
	}
	line := wave(x, 0.72, 0.05, 0.3, 0.9)
	if math.Abs(y-line) < 0.009 && math.Mod(x, 0.075) < 0.05 {
		c = hex(0xfdf4e3)
	}
	return c
}

// darning: a cloth, and threads of another colour where there was a hole.
func darning(x, y float64) rgb {
	const thread = 0.032
	i, j := math.Floor(x/thread), math.Floor(y/thread)
	u, v := math.Mod(x, thread)/thread, math.Mod(y, thread)/thread
	over := (int(i)+int(j))%2 == 0
	across := v
	if over {
		across = u
	}
	c := mix(hex(0x4f7d3a), hex(0x36592a), noise(int(i), 3))
	if !over {
		c = mix(hex(0x6b9a4d), hex(0x48743a), noise(7, int(j)))
	}
	if d := math.Hypot((x-0.95)*0.9, y-0.5); d < 0.27+0.025*math.Sin(7*math.Atan2(y-0.5, x-0.95)) {
		c = mix(hex(0xe9a23b), hex(0xc97f22), noise(int(i), 5))
		if !over {
			c = mix(hex(0xf6d58a), hex(0xe0b35a), noise(9, int(j)))
		}
	}
	shade := 0.35 + 0.65*math.Sin(math.Pi*clamp(across))
	return rgb{c.r * shade, c.g * shade, c.b * shade}
}

// ladders: as many as there are classes, and nobody on them.
func ladders(x, y float64) rgb {
	c := mix(hex(0xbfe6ea), hex(0xf4f1de), y/0.8)
	if y > 0.84 {
		c = mix(hex(0x7fae6b), hex(0x4f7d45), (y-0.84)/0.16)
	}
	for i := range 6 {
		foot := 0.2 + 0.27*float64(i)
		lean := 0.12 * (noise(i, 1) - 0.5)
		top := 0.16 + 0.2*noise(i, 2)
		mid := foot + lean*(0.9-y)
		if y < top || y > 0.9 || math.Abs(x-mid) > 0.062 {
			continue
		}
		wood := mix(hex(0xc98b4a), hex(0x8a5626), noise(i, 4))
		if math.Abs(math.Abs(x-mid)-0.055) < 0.008 || math.Mod(y-top+0.03, 0.09) < 0.014 {
			c = wood
		}
	}
	return c
}

// lights: strings of lamps over a workbench.
func lights(x, y float64) rgb {
	c := mix(hex(0x2b1230), hex(0x6b2d55), y/0.85)
	for i := range 3 {
		h := float64(i)
		sag := 0.08 + 0.13*h + (0.2-0.03*h)*math.Pow(math.Sin(math.Pi*math.Mod(x+0.31*h, 0.92)/0.92), 1.2)
		if math.Abs(y-sag) < 0.003 {
			c = hex(0x1a0a1d)
		}
		const apart = 0.092
		n := math.Floor(x/apart + 0.5)
		cx := n * apart
		cy := 0.022 + 0.08 + 0.13*h + (0.2-0.03*h)*math.Pow(math.Sin(math.Pi*math.Mod(cx+0.31*h, 0.92)/0.92), 1.2)
		lamp := []rgb{hex(0xffd27a), hex(0xff9f6b), hex(0xffe9b8), hex(0xf28fb0)}[int(noise(int(n), i)*4)%4]
		if noise(int(n)+3, i+11) < 0.1 { // there is always one
			lamp = hex(0x4a3350)
		} else {
			c = lit(c, lamp, 0.6*glow(x, y, cx, cy, 0.03))
		}
		c = mix(c, lamp, disc(x, y, cx, cy, 0.017))
	}
	switch {
	case y > 0.86:
		c = mix(hex(0x8a5a3a), hex(0x4a2c1c), (y-0.86)/0.14)
	case inside(x, y, 0.3, 0.79, 0.62, 0.86), inside(x, y, 1.2, 0.74, 1.34, 0.86), math.Hypot(x-0.92, y-0.81) < 0.05 && math.Hypot(x-0.92, y-0.81) > 0.03:
		c = hex(0x241026)
	}
	return c
}
