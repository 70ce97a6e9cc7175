import { createElement } from 'lwc';
import { getBarcodeScanner } from 'lightning/mobileCapabilities';
import TurnoutDoor from 'c/turnoutDoor';
import find from '@salesforce/apex/TurnoutDoor.find';
import scanned from '@salesforce/apex/TurnoutDoor.scanned';
import admit from '@salesforce/apex/TurnoutDoor.admit';
import takeBack from '@salesforce/apex/TurnoutDoor.takeBack';
import count from '@salesforce/apex/TurnoutDoor.count';

// jest moves these before the imports, so each stands by itself.
jest.mock('@salesforce/apex/TurnoutDoor.find', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/TurnoutDoor.scanned', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/TurnoutDoor.admit', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/TurnoutDoor.takeBack', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/TurnoutDoor.count', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('lightning/mobileCapabilities', () => ({ getBarcodeScanner: jest.fn() }), { virtual: true });

const EVENT = 'a01000000000001AAA';
const expected = { recordId: 'a02000000000001AAA', name: 'Test Example', company: 'Example Ltd', ticket: 'Standard', guests: 2, status: 'Approved', expected: true, inside: false, elsewhere: null, admitted: false };
const inside = { ...expected, status: 'Attended', expected: false, inside: true };

const settled = async () => { for (let i = 0; i < 10; i++) { await Promise.resolve(); } };

/** The door of an event, and what is on it. */
async function door() {
    const element = createElement('c-door', { is: TurnoutDoor });
    element.recordId = EVENT;
    document.body.appendChild(element);
    await settled();
    const all = (id) => [...element.shadowRoot.querySelectorAll(`[data-id="${id}"]`)];
    return {
        all,
        element,
        text: (id) => all(id).map((e) => e.textContent),
        async press(id) { all(id)[0].dispatchEvent(new CustomEvent('click')); await settled(); },
        async type(value) { const input = all('text')[0]; input.value = value; input.dispatchEvent(new CustomEvent('change')); await settled(); }
    };
}

describe('the door', () => {
    beforeEach(() => {
        [find, admit, takeBack, count, getBarcodeScanner].forEach((method) => method.mockReset());
        count.mockResolvedValue({ inside: 3, expected: 40 });
        getBarcodeScanner.mockReturnValue(null);
    });
    afterEach(() => document.body.replaceChildren());

    it('finds by what is typed, and a person decides', async () => {
        find.mockResolvedValue([expected]);
        admit.mockResolvedValue({ ...inside, admitted: true });
        const d = await door();
        expect(d.text('tally')[0]).toContain('3 inside, 40 still expected');
        await d.type('MBKD-7ERK');
        await d.press('look');
        expect(find.mock.calls).toEqual([[{ eventId: EVENT, text: 'MBKD-7ERK' }]]);
        expect(d.text('visitor')[0]).toContain('Example Ltd · Standard · with 2 guests');
        expect(admit).not.toHaveBeenCalled();
        await d.press('admit');
        expect(admit.mock.calls).toEqual([[{ eventId: EVENT, recordId: expected.recordId }]]);
        expect(d.text('said')[0]).toContain('Welcome, and 2 more.');
        expect(d.text('standing')).toEqual(['Inside.']);
        expect(d.all('admit')).toEqual([]);
        expect(count).toHaveBeenCalledTimes(2);
    });

    it('takes back what it did, to the status that was', async () => {
        find.mockResolvedValue([expected]);
        admit.mockResolvedValue({ ...inside, admitted: true });
        takeBack.mockResolvedValue(expected);
        const d = await door();
        await d.press('look');
        await d.press('admit');
        await d.press('undo');
        expect(takeBack.mock.calls).toEqual([[{ eventId: EVENT, recordId: expected.recordId, status: 'Approved' }]]);
        expect(d.text('standing')).toEqual(['Expected.']);
        expect(d.all('undo')).toEqual([]);
    });

    it('finds at Enter', async () => {
        find.mockResolvedValue([expected]);
        const d = await door();
        d.all('text')[0].dispatchEvent(new KeyboardEvent('keydown', { key: 'x' }));
        d.all('text')[0].dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
        await settled();
        expect(find).toHaveBeenCalledTimes(1);
    });

    it('begins anew at another event', async () => {
        find.mockResolvedValue([expected]);
        const d = await door();
        await d.press('look');
        d.element.recordId = 'a01000000000009AAA';
        await settled();
        expect(d.all('visitor')).toEqual([]);
        expect(count.mock.calls[1]).toEqual([{ eventId: 'a01000000000009AAA' }]);
    });

    it('takes back nothing that another door did', async () => {
        find.mockResolvedValue([inside]);
        const d = await door();
        await d.press('look');
        expect(d.all('undo')).toEqual([]);
        expect(d.all('admit')).toEqual([]);
    });

    it.each([
        ['is inside', { ...inside }, 'Inside.'],
        ['cancelled', { ...expected, status: 'Cancelled', expected: false }, 'Not expected: Cancelled.'],
        ['has a ticket for another event', { ...expected, elsewhere: 'Talk' }, 'This ticket is for Talk.']
    ])('does not let in who %s', async (_, one, said) => {
        find.mockResolvedValue([one]);
        const d = await door();
        await d.press('look');
        expect(d.text('standing')).toEqual([said]);
        expect(d.all('admit')).toEqual([]);
    });

    it('says what an unknown code may be', async () => {
        find.mockResolvedValue([]);
        const d = await door();
        await d.press('look');
        expect(d.text('said')[0]).toContain('may not have arrived');
    });

    it('says what went wrong, and works again', async () => {
        find.mockRejectedValueOnce({ body: { message: 'You cannot see registrations.' } });
        find.mockResolvedValue([expected]);
        const d = await door();
        await d.press('look');
        expect(d.text('said')[0]).toContain('You cannot see registrations.');
        await d.press('look');
        expect(d.all('visitor').length).toBe(1);
    });

    it('counts once it knows the event, which may be late', async () => {
        const element = createElement('c-door', { is: TurnoutDoor });
        document.body.appendChild(element);
        await settled();
        expect(count).not.toHaveBeenCalled();
        element.recordId = EVENT;
        await settled();
        expect(count.mock.calls).toEqual([[{ eventId: EVENT }]]);
        expect(element.shadowRoot.querySelector('[data-id="tally"]').textContent).toContain('3 inside');
    });

    it('works without a count', async () => {
        count.mockRejectedValue(new Error('no'));
        find.mockResolvedValue([expected]);
        const d = await door();
        await d.press('look');
        expect(d.all('tally')).toEqual([]);
        expect(d.all('visitor').length).toBe(1);
    });
});

describe('its camera', () => {
    let scanner;
    beforeEach(() => {
        [find, scanned, admit, count, getBarcodeScanner].forEach((method) => method.mockReset());
        count.mockResolvedValue({ inside: 0, expected: 1 });
        scanner = { isAvailable: () => true, barcodeTypes: { QR: 'qr' }, scan: jest.fn(), dismiss: jest.fn() };
        getBarcodeScanner.mockReturnValue(scanner);
    });
    afterEach(() => document.body.replaceChildren());

    it('lets in at once who is expected', async () => {
        scanner.scan.mockResolvedValue([{ type: 'qr', value: '06HN1H16011M00KFH9MBKD7ERK' }]);
        scanned.mockResolvedValue([expected]);
        admit.mockResolvedValue({ ...inside, admitted: true });
        const d = await door();
        await d.press('scan');
        expect(scanner.scan.mock.calls[0][0].barcodeTypes).toEqual(['qr']);
        expect(scanned.mock.calls).toEqual([[{ eventId: EVENT, code: '06HN1H16011M00KFH9MBKD7ERK' }]]);
        expect(find).not.toHaveBeenCalled();
        expect(d.text('said')[0]).toContain('Welcome');
        expect(scanner.dismiss).toHaveBeenCalledTimes(1);
    });

    it('lets nobody in by what is no code', async () => {
        scanner.scan.mockResolvedValue([{ type: 'qr', value: 'ada@example.com' }]);
        scanned.mockResolvedValue([]);
        find.mockResolvedValue([expected]);
        const d = await door();
        await d.press('scan');
        expect(d.text('said')[0]).toContain('Not found');
        expect(admit).not.toHaveBeenCalled();
    });

    it('says why it lets somebody not in', async () => {
        scanner.scan.mockResolvedValue([{ type: 'qr', value: 'x' }]);
        scanned.mockResolvedValue([inside]);
        admit.mockResolvedValue(inside);
        const d = await door();
        await d.press('scan');
        expect(d.text('said')[0]).toContain('Inside.');
        expect(d.all('undo')).toEqual([]);
    });

    it('says nothing when it is closed, and what is wrong when it fails', async () => {
        scanner.scan.mockRejectedValueOnce({ code: 'USER_DISMISSED' });
        scanner.scan.mockRejectedValueOnce({ code: 'USER_DENIED_PERMISSION', message: 'Allow the camera in the settings.' });
        const d = await door();
        await d.press('scan');
        expect(d.all('said')).toEqual([]);
        await d.press('scan');
        expect(d.text('said')[0]).toContain('Allow the camera');
        expect(scanner.dismiss).toHaveBeenCalledTimes(2);
    });

    it('is no button where there is none', async () => {
        getBarcodeScanner.mockReturnValue({ isAvailable: () => false });
        const d = await door();
        expect(d.all('scan')).toEqual([]);
    });
});
