import { createElement } from 'lwc';
import { notifyRecordUpdateAvailable } from 'lightning/uiRecordApi';
import TurnoutPublish from 'c/turnoutPublish';
import TurnoutUpdate from 'c/turnoutUpdate';
import TurnoutUnpublish from 'c/turnoutUnpublish';
import publish from '@salesforce/apex/TurnoutActions.publish';
import updatePage from '@salesforce/apex/TurnoutActions.updatePage';
import unpublish from '@salesforce/apex/TurnoutActions.unpublish';

// jest moves these before the imports, so each stands by itself.
jest.mock('@salesforce/apex/TurnoutActions.publish', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/TurnoutActions.updatePage', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/TurnoutActions.unpublish', () => ({ __esModule: true, default: jest.fn() }), { virtual: true });
jest.mock('lightning/uiRecordApi', () => ({ notifyRecordUpdateAvailable: jest.fn() }), { virtual: true });

/** A button on a record, and what it said. */
function on(is, recordId) {
    const element = createElement('c-button', { is });
    const said = [];
    element.addEventListener('lightning__showtoast', (event) => said.push(event.detail));
    element.recordId = recordId;
    document.body.appendChild(element);
    return { element, said };
}

describe.each([
    ['Publish', TurnoutPublish, publish],
    ['Update Page', TurnoutUpdate, updatePage],
    ['Unpublish', TurnoutUnpublish, unpublish]
])('the button %s', (_, is, method) => {
    beforeEach(() => {
        method.mockReset();
        notifyRecordUpdateAvailable.mockReset();
    });

    it('does it to its record, and says so', async () => {
        method.mockResolvedValue(true);
        const { element, said } = on(is, 'a01000000000001AAA');
        await element.invoke();
        expect(method.mock.calls).toEqual([[{ recordId: 'a01000000000001AAA' }]]);
        expect(said.map((s) => s.variant)).toEqual(['success']);
        expect(notifyRecordUpdateAvailable.mock.calls).toEqual([[[{ recordId: 'a01000000000001AAA' }]]]);
    });

    it('says what went wrong, and works again', async () => {
        method.mockRejectedValueOnce({ body: { message: 'Set the hook secret first.' } });
        const { element, said } = on(is, 'a01000000000001AAA');
        await element.invoke();
        expect(said).toMatchObject([{ title: 'Nothing was changed', message: 'Set the hook secret first.', variant: 'error' }]);
        method.mockResolvedValue(true);
        await element.invoke();
        expect(said[1].variant).toBe('success');
    });

    it('says that it takes a minute where Turnout is not told', async () => {
        method.mockResolvedValue(false);
        const { element, said } = on(is, 'a01000000000001AAA');
        await element.invoke();
        expect(said).toMatchObject([{ variant: 'warning' }]);
        expect(said[0].message).toContain('within a minute');
        expect(notifyRecordUpdateAvailable).toHaveBeenCalledTimes(1);
    });

    it('is pressed once at a time', async () => {
        let done;
        method.mockReturnValue(new Promise((resolve) => { done = () => resolve(true); }));
        const { element } = on(is, 'a01000000000001AAA');
        const first = element.invoke();
        await element.invoke();
        done();
        await first;
        expect(method).toHaveBeenCalledTimes(1);
    });
});
