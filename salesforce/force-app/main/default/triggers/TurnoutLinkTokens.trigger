/** Gives links a token, where they are made without one. */
trigger TurnoutLinkTokens on Turnout_Link__c(before insert) {
    TurnoutTokens.fill(Trigger.new);
}
