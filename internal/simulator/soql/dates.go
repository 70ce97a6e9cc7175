package soql

import "time"

// relative tells the relative dates, and which of them take a number.
func relative(word string) (counted, known bool) {
	switch word {
	case "TODAY", "YESTERDAY", "TOMORROW", "THIS_WEEK", "LAST_WEEK", "NEXT_WEEK", "THIS_MONTH", "LAST_MONTH", "NEXT_MONTH",
		"LAST_90_DAYS", "NEXT_90_DAYS", "THIS_YEAR", "LAST_YEAR", "NEXT_YEAR":
		return false, true
	case "LAST_N_DAYS", "NEXT_N_DAYS", "N_DAYS_AGO":
		return true, true
	}
	return false, false
}

// Range is the span of days that a relative date means, [from, to), in UTC.
func (l Literal) Range(now time.Time) (from, to time.Time) {
	now = now.UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	month := day.AddDate(0, 0, 1-day.Day())
	year := time.Date(day.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	week := day.AddDate(0, 0, -int(day.Weekday())) // Salesforce's week starts on Sunday
	days := func(a, b int) (time.Time, time.Time) { return day.AddDate(0, 0, a), day.AddDate(0, 0, b) }
	switch l.Text {
	case "YESTERDAY":
		return days(-1, 0)
	case "TOMORROW":
		return days(1, 2)
	case "THIS_WEEK":
		return week, week.AddDate(0, 0, 7)
	case "LAST_WEEK":
		return week.AddDate(0, 0, -7), week
	case "NEXT_WEEK":
		return week.AddDate(0, 0, 7), week.AddDate(0, 0, 14)
	case "THIS_MONTH":
		return month, month.AddDate(0, 1, 0)
	case "LAST_MONTH":
		return month.AddDate(0, -1, 0), month
	case "NEXT_MONTH":
		return month.AddDate(0, 1, 0), month.AddDate(0, 2, 0)
	case "THIS_YEAR":
		return year, year.AddDate(1, 0, 0)
	case "LAST_YEAR":
		return year.AddDate(-1, 0, 0), year
	case "NEXT_YEAR":
		return year.AddDate(1, 0, 0), year.AddDate(2, 0, 0)
	case "LAST_90_DAYS":
		return days(-90, 1)
	case "NEXT_90_DAYS":
		return days(1, 91)
	case "LAST_N_DAYS":
		return days(-l.N, 1)
	case "NEXT_N_DAYS":
		return days(1, l.N+1)
	case "N_DAYS_AGO":
		return days(-l.N, -l.N+1)
	}
	return days(0, 1) // TODAY
}
